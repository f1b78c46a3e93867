"""A page on this machine to hide and reveal with: `stegojax demo`.

`operations` is what the page's buttons do, on the bytes of files; `page` serves it.
"""
