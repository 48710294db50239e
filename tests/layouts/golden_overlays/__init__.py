"""What the native painter draws, as pictures that somebody has looked at: ``python -m tests.layouts.golden_overlays``
draws them anew.

Each scene is drawn at a small size over a plain video, with the fonts that the container names. Other versions of them
draw letters a little differently, so pictures are compared by the means of small squares.
"""
