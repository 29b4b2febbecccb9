"""`aura bench voice`: ears and mouth over virtual devices, measured from outside, at the devices
themselves."""
