"""The console: one web page that shows what the assistant sees, says and remembers."""
