"""`aura bench voice`: speech input and output over virtual devices, measured at the devices."""
