"""What the reference texts say that no check here shows, each with its reason."""

SLIP = "a slip of the pen or of the markup: nothing to compute"
LAYOUT = "headings, figures, numbering or wording: nothing to compute"
LOST = "a listing or a result that was lost in copying: nothing to compare with"
UNDEFINED = "a name that the listing does not define: it ends with a NameError, in any program"

MINUTES = "a training of minutes: `freedive train softmax-regression` on the data itself shows it"

UNCHECKED: dict[str, str] = {
    "001_003_004 C38": MINUTES,
    "002a C71": MINUTES,
    "000 E7": UNDEFINED,
    "000 E12": "an attribute called `output` in one place and `out` in another: " + UNDEFINED,
    "000 E20": "a wording: the hyperparameter λ is called L2",
    "000 E23": SLIP,
    "000 E35": LAYOUT,
    "000 E36": LAYOUT,
    "000 E37": LOST,
    "001_003_004 E13": LOST,
    "001_003_004 E15": "one shape declared as a row and used as a vector, in a formula alone",
    "001_003_004 E25": "how much clipping matters is a matter of degree: no statement to check",
    "001_003_004 E29": LOST,
    "001_003_004 E33": "`feature` and `features` in one listing: " + UNDEFINED,
    "001_003_004 E34": LOST,
    "001_003_004 E38": "a translated `self`: " + UNDEFINED,
    "001_003_004 E43": (
        "asserts at the end of a training loop abort short runs: a matter of taste in a notebook"
    ),
    "001_003_004 E44": LAYOUT,
    "001_003_004 E45": LAYOUT,
    "002a E12": SLIP,
    "002a E13": SLIP,
    "002a E15": SLIP,
    "002a E17": SLIP,
    "002a E53": SLIP,
    "002a E55": SLIP,
    "002a E56": "whether two persons were merged into one is a matter of history",
    "002a E60": LAYOUT,
    "002b E3": SLIP,
    "002b E7": LOST,
    "002b E8": LOST,
    "002b E16": LAYOUT,
    "002b E24": SLIP,
    "002b E25": SLIP,
    "002b E26": "two conventions for numbering steps: rename t, and they are one",
    "002b E32": SLIP,
    "002b E33": LOST,
    "002b E34": SLIP,
    "002b E35": SLIP,
    "002b E38": "two classes of one name in two sections: a program takes the one it imports",
    "002b E46": SLIP,
    "002b E48": SLIP,
    "002b E55": (
        "that attention helps is measured with three seeds in docs/attention.md; it takes hours, "
        "not seconds"
    ),
    "002b E56": SLIP,
    "002b E60": LOST,
}
