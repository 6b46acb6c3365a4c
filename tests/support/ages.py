"""The ages of thirteen places, written out a second time by hand: a change of either must be deliberate."""

# Typed from the provincial and territorial acts' public summaries, not from schemas/rules: majority, alcohol, cannabis.
AGES = {
    "ca-ab": (18, 18, 18),
    "ca-bc": (19, 19, 19),
    "ca-mb": (18, 18, 19),
    "ca-nb": (19, 19, 19),
    "ca-nl": (19, 19, 19),
    "ca-ns": (19, 19, 19),
    "ca-nt": (19, 19, 19),
    "ca-nu": (19, 19, 19),
    "ca-on": (18, 19, 19),
    "ca-pe": (18, 19, 19),
    "ca-qc": (18, 18, 21),
    "ca-sk": (18, 19, 19),
    "ca-yt": (19, 19, 19),
}

PURPOSES = ("majority", "alcohol", "cannabis")
