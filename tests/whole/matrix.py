"""The fault matrix as pure data: in which setting an operation is asked for, what can go wrong with
it, at which of its occurrences, and where a run must end then. test_matrix.py plays it.
"""

import collections
import itertools

from scene import PART

# Where it must end, whatever haul does on its way there.
HEALS = "heals"    # nobody has to do anything: exit 0
PAUSES = "pauses"  # somebody has to mend it, `haul resume` goes on: exit 5, then 0
FAILS = "fails"    # the object VICTIM is named, all others are there: exit 1
ENDS = "ends"      # it heals, by itself or after pauses

VICTIM = "alpha"  # no other name has it in it
SMALL = {VICTIM: 1000, "beta": 100_000, "empty": 0, "tiny": 1}
LARGE = {VICTIM: PART + 1, "beta": PART + 1, "tiny": 1}
BOTH = {name: size for name, size in LARGE.items() if size > PART}

# operations: those that are played with, and how often an undisturbed run asks for them, at least.
# base: faults that are always there, so that it comes to these operations. kill: the step at which
# a first process dies. fresh: its keys can be renewed.
Setting = collections.namedtuple(
    "Setting", "upload sizes operations base kill fields fresh",
    defaults=("", None, {}, False))


def each(line, names=BOTH):
    """A fault line for each of the objects."""
    return "\n".join(line.format(key=name) for name in names)


LOST = each("CreateMultipartUpload key={key} nth=1 drop-after")
SETTINGS = {
    "small uploads": Setting(True, SMALL, {"ListObjectsV2": 2, "PutObject": 4},
                             fields={"when": "changed"}),
    "small downloads": Setting(False, SMALL, {"ListObjectsV2": 2, "GetObject": 4}),
    "named downloads": Setting(False, SMALL, {"HeadObject": 4}, fields={"named": True}),
    "parts": Setting(True, LARGE, {"CreateMultipartUpload": 2, "UploadPart": 4,
                                   "CompleteMultipartUpload": 2}),
    "ranges": Setting(False, LARGE, {"GetObject": 5}),
    "lost uploads": Setting(True, BOTH, {"ListMultipartUploads": 2, "ListParts": 4,
                                         "AbortMultipartUpload": 2}, LOST),
    "given up": Setting(True, BOTH, {"AbortMultipartUpload": 2, "ListParts": 2}, each(
        "UploadPart key={key} part=2 nth=1 status=412 code=PreconditionFailed")),
    "replaced": Setting(False, BOTH, {"HeadObject": 2}, each(
        "GetObject key={key} nth=1 replace-object")),
    "to be proven": Setting(True, BOTH, {"HeadObject": 2}, each(
        "CompleteMultipartUpload key={key} nth=1 drop-after")),
    "resumed creation": Setting(True, BOTH, {
        "CreateMultipartUpload": 2, "ListMultipartUploads": 1, "ListParts": 2,
        "AbortMultipartUpload": 1}, kill="upload.created"),
    "resumed parts": Setting(True, BOTH, {"ListParts": 1, "UploadPart": 3,
                                          "CompleteMultipartUpload": 2}, kill="upload.part"),
    "resumed completion": Setting(True, BOTH, {"CompleteMultipartUpload": 2, "HeadObject": 1},
                                  kill="upload.completed"),
    "resumed ranges": Setting(False, BOTH, {"GetObject": 3}, kill="download.range"),
    "small uploads, fresh keys": Setting(True, SMALL, {"ListObjectsV2": 1, "PutObject": 4},
                                         fresh=True),
    "parts, fresh keys": Setting(True, LARGE, {"CreateMultipartUpload": 2, "UploadPart": 4,
                                               "CompleteMultipartUpload": 2}, fresh=True),
    "ranges, fresh keys": Setting(False, LARGE, {"ListObjectsV2": 2, "GetObject": 5},
                                  fresh=True),
    "lost uploads, fresh keys": Setting(True, BOTH, {
        "ListMultipartUploads": 2, "ListParts": 4, "AbortMultipartUpload": 2}, LOST, fresh=True),
}

OPERATIONS = sorted({op for setting in SETTINGS.values() for op in setting.operations})
DOCUMENTS = {"ListObjectsV2", "ListMultipartUploads", "ListParts", "CreateMultipartUpload",
             "CompleteMultipartUpload"}
STORED = {"PutObject", "UploadPart"}
OF_OBJECTS = STORED | {"CompleteMultipartUpload", "GetObject", "HeadObject"}
BODIES = DOCUMENTS | STORED | {"GetObject"}
ALL = set(OPERATIONS)
NOT_AIMED = {"ListObjectsV2", "ListMultipartUploads"}  # at one key
UNHEARD = "Unheard"  # a code that nobody knows: the status counts

# What happens for a while -> the operations it may happen to. All of it heals.
PASSING = {
    "drop-before": ALL,
    "drop-after": ALL,
    "delay-ms=100": ALL,
    "duplicate": ALL,
    "duplicate-after": ALL,
    "skew-s=-3600": ALL,
    "skew-s=3600": ALL,
    "status=500": ALL,
    "status=502 html": ALL,
    "status=503 code=SlowDown": ALL,
    "status=503 early": ALL,
    "status=504": ALL,
    "status=400 code=RequestTimeout": ALL,
    "status-after=500": ALL,
    "status=200 html": ALL,
    "empty-200": ALL,
    "empty-200-after": ALL,
    "error-200=InternalError": ALL,
    "error-200-after=InternalError": ALL,
    "error-200=SlowDown": ALL,
    "reset-mid-body=0": BODIES,
    "reset-mid-body=20": BODIES,
    "reset-mid-body=500000": STORED | {"GetObject"},
    "truncate=0": BODIES - STORED,
    "truncate=20": BODIES - STORED,
    "truncate=500000": {"GetObject"},
    "status=403 truncate=20": BODIES,  # who knows what else it would have said
    "trickle=1000": DOCUMENTS,
    "trickle=20000000": STORED | {"GetObject"},
    "no-etag": OF_OBJECTS,
    'etag="x"': OF_OBJECTS,
    'etag=W/"x"': OF_OBJECTS,
    "extra-bytes=3": BODIES - STORED,
    "content-range=bytes 0-4/9": {"GetObject"},
    "ignore-range": {"GetObject"},
    "replace-object": {"GetObject"},
    "no-upload-id": {"CreateMultipartUpload"},
    "status=409 code=OperationAborted": STORED | {"CompleteMultipartUpload"},
    "status=412 code=PreconditionFailed": STORED | {"CompleteMultipartUpload", "GetObject"},
    "status=416 code=InvalidRange": {"GetObject"},
    "status=409 code=ConditionalRequestConflict": {"CompleteMultipartUpload"},
    "status=400 code=InvalidPart": {"CompleteMultipartUpload"},
    "error-200=InvalidPart": {"CompleteMultipartUpload"},
    "status=404 code=NoSuchUpload": {
        "UploadPart", "ListParts", "CompleteMultipartUpload", "AbortMultipartUpload"},
} | {f"status={status} code={UNHEARD}": OF_OBJECTS
     for status in (408, 429, 500, 502, 503, 504, 507, 508, 511, 520, 522, 529, 599)}

# What is no matter of one object: somebody has to mend it, unless haul can.
KEYS = {"status=400 code=ExpiredToken": ALL}
MENDABLE = KEYS | {
    "status=403 code=InvalidAccessKeyId": ALL,
    "status=403 code=SignatureDoesNotMatch": ALL - {"HeadObject"},
    f"status=401 code={UNHEARD}": ALL,
    "status=404 code=NoSuchBucket": ALL - {"HeadObject"},
}

# What is refused for good.
REFUSALS = {"status=403 code=AccessDenied": ALL, "status=404 code=NoSuchKey": ALL - {
    "CreateMultipartUpload", "AbortMultipartUpload"}} | {
    f"status={status} code={UNHEARD}": OF_OBJECTS - {"HeadObject"}
    for status in (400, 402, 403, 405, 406, 410, 411, 413, 414, 415, 417, 418, 421, 422, 423, 424,
                   426, 428, 431, 451, 501, 505)}

# What may happen to any request.
EVERYWHERE = ["always skew-s=3600", "every=3 count=5 drop-before", "always delay-ms=10",
              "every=4 count=5 drop-after", "always skew-s=-3600",
              "every=3 count=5 status=503 code=SlowDown", "every=5 count=5 duplicate-after"]

# Where that ends, if not so: of a setting (None: all), an operation, and what has one of the words
# in it, the first row counts.
OTHERWISE = [
    (None, "ListObjectsV2", ("AccessDenied", "NoSuchKey"), ENDS),  # or it only looks around
    # A clock that goes to and fro can't be followed.
    (None, None, ("every=2 count=3 skew", "every=2 count=2 skew"), ENDS),
    # HEAD says neither yes nor why: the object's first byte is asked for.
    (None, "HeadObject", ("status=400", "status=403", "409"), HEALS),
    # What can't be proven is sent again.
    ("to be proven", "HeadObject", ("NoSuchKey",), HEALS),
    ("resumed completion", "HeadObject", ("NoSuchKey",), HEALS),
    # Gone is gone, and ListParts is asked whether it is.
    (None, "AbortMultipartUpload", ("NoSuchBucket",), HEALS),
    ("given up", "ListParts", ("NoSuchUpload", f"status=403 code={UNHEARD}"), HEALS),
    # Who may not look goes by the queue, and who may not clear up is told so.
    (None, "ListParts", ("AccessDenied", "NoSuchKey"), HEALS),
    (None, "ListMultipartUploads", ("AccessDenied", "NoSuchKey"), HEALS),
    (None, "AbortMultipartUpload", ("AccessDenied",), HEALS),
]


def leaves_uploads(op, action):
    """May uploads stay open? Those that haul was never told of, or may not look for or abort."""
    refused = "AccessDenied" in action or "NoSuchKey" in action
    return (op == "CreateMultipartUpload" and action.startswith("duplicate")
            or op == "ListParts" and "NoSuchUpload" in action
            or op in ("ListMultipartUploads", "ListParts", "AbortMultipartUpload") and refused)


# Actions after which it is right to move again what was moved.
AGAIN = ("etag=", "412", "416", "409 code=C", "replace", "NoSuch", "InvalidPart", "no-etag")

Combination = collections.namedtuple("Combination", "setting lines ends leaves again")


def occurrences(count, most):
    """Fault lines' words for when, of an operation that there are `count` of: the first, the second
    and the last one, a burst, every other one."""
    yield "nth=1"
    if count > 1:
        yield "nth=2"
    if count > 2:
        yield f"nth={count}"
    yield f"always count={most}"
    if count > 1:
        yield f"every=2 count={most}"


def ends_of(name, op, words, ends):
    for setting, operation, marks, otherwise in OTHERWISE:
        if (setting in (None, name) and operation in (None, op)
                and any(mark in words for mark in marks)):
            return otherwise
    return ends


def combination(name, op, when, action, ends):
    words = f"{when} {action}"
    return Combination(
        name, f"{op} {words}", ends_of(name, op, words, ends), leaves_uploads(op, action),
        any(word in action for word in AGAIN))


def all_of(name, op):
    """What may happen to an operation in a setting: an action, and its combinations, one
    occurrence after the other."""
    setting = SETTINGS[name]
    # Whether an endpoint is there at all is asked with fewer tries, and one renewal of the keys
    # that does not help may be followed by another one, not by a third.
    most = 2 if op == "ListObjectsV2" or setting.fresh else 3
    when = list(occurrences(setting.operations[op], most))
    single = [words for words in when if "nth" in words]
    aimed = single if op in NOT_AIMED else [f"key={VICTIM} nth=1", f"key={VICTIM} always"]
    if (name, op) == ("resumed completion", "CompleteMultipartUpload"):
        aimed = []  # the victim may be complete already
    kinds = [(KEYS, when, HEALS)] if setting.fresh else [
        (PASSING, when, HEALS), (MENDABLE, single, PAUSES), (REFUSALS, aimed, FAILS)]
    for actions, places, ends in kinds:
        for action in (action for action, operations in actions.items() if op in operations):
            if places:
                yield action, [combination(name, op, place, action, ends) for place in places]


def of_operation(op, long=False):
    """The combinations of an operation: in the first setting that has it each action at one of its
    occurrences, in turn, in the other settings half of the actions; or (`long`) all."""
    turns, known = itertools.count(), set()
    for name in (name for name, setting in SETTINGS.items() if op in setting.operations):
        for action, row in all_of(name, op):
            turn = next(turns)
            if long:
                yield from row
            elif action not in known:
                yield row[turn % len(row)]
            elif UNHEARD not in action and turn % 2 == 0:
                yield row[turn // 2 % len(row)]
            known.add(action)


def of_all(long=False):
    """What happens to whatever is asked for: in each setting two of these, or all."""
    turns = itertools.cycle(range(len(EVERYWHERE)))
    for name in SETTINGS:
        for turn in range(len(EVERYWHERE)) if long else (next(turns), next(turns)):
            action = EVERYWHERE[turn]
            yield Combination(name, f"* {action}", HEALS, "duplicate" in action, False)


def pairs(count, chance):
    """Two faults at once, of one setting, that heal. Not with bytes behind what is said, which
    can't be understood then: a refusal of the other one's would be final."""
    by_setting = {}
    for c in itertools.chain(*(of_operation(op, True) for op in OPERATIONS)):
        if c.ends == HEALS and "extra-bytes" not in c.lines:
            by_setting.setdefault(c.setting, []).append(c)
    for _ in range(count):
        a, b = chance.sample(by_setting[chance.choice(list(by_setting))], 2)
        yield Combination(a.setting, f"{a.lines}\n{b.lines}", ENDS, True, True)
