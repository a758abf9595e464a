"""Adapters: classicseg behind the interfaces of other libraries. Nothing else in the library imports them."""
