"""Text and JSON of everything the screen shows. Formatters return strings or documents; callers print them."""
