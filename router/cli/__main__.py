"""`python -m router.cli`: the same as `hubherald`."""

from router.cli import main

main(prog_name="hubherald")
