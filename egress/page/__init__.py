"""A live web page as a program's picture and sound."""
