"""What may be said about a room, in two languages. Templates, not free text: the embedded model
knows these words.

`Phrases.unseen` are kept out of training: they tell whether the model understands or has learned by
heart. Their words are all in the others.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """Ways to say one thing."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Facet:
    """Something that is one way or the other. `polar` asks about one of `values`: yes or no; `open`
    asks which."""

    values: tuple[str, str]
    polar: Phrases
    open: Phrases


@dataclass(frozen=True)
class Language:
    """Everything that is said in one language. Slots: x, y a thing; v a value; c a clause."""

    colours: dict[str, str]
    shapes: dict[str, str]
    a_thing: str  # slots c and s; of colour and shape
    the_thing: str
    a_shape: str
    a_colour: str
    anything: str
    plural_shape: str
    plural_colour: str
    numbers: tuple[str, ...]
    places: tuple[str, ...]
    stands: tuple[str, ...]  # where a person is
    cat_places: dict[str, str]
    poses: tuple[str, str]  # standing, lying
    conjunction: str
    nothing: str
    yes_no: tuple[str, str]
    not_seen: str
    acknowledgment: str
    person: str
    cat: str
    decorations: tuple[str, ...]  # around a question, slot q
    questions: dict[str, Phrases]  # by topic
    facets: dict[str, Facet]
    once: Phrases  # standing questions, slot c
    always: Phrases
    clauses: dict[str, Phrases]  # by kind of event
    announcements: dict[str, str]  # by kind of event
    foreign: str  # to any question where the picture is not the room
    unknown: str  # to what it does not understand
    thanks: tuple[Phrases, str]  # and what is said to them
    greeting: tuple[Phrases, str]
    again: Phrases  # the question before, now
    also: Phrases  # the question before, about x
    correction: Phrases  # the question before was meant about x
    where_it: Phrases  # where what the question before was about is
    nouns: dict[str, str]  # of a follow-up, by topic
    strange: Phrases  # questions with an unknown word z
    strangers: tuple[str, ...]  # unknown words


ENGLISH = Language(
    colours={c: c for c in ("red", "green", "blue", "yellow", "purple", "white")},
    shapes={s: s for s in ("cube", "ball", "cone", "star")},
    a_thing="a {c} {s}",
    the_thing="the {c} {s}",
    a_shape="a {s}",
    a_colour="something {c}",
    anything="something",
    plural_shape="{s}s",
    plural_colour="{c} objects",
    numbers=("none", "one", "two", "three"),
    places=("on the left", "in the middle", "on the right"),
    stands=("on the left", "in the middle", "on the right"),
    cat_places={"floor": "on the floor", "table": "on the table"},
    poses=("standing", "lying on the floor"),
    conjunction=" and ",
    nothing="nothing",
    yes_no=("yes", "no"),
    not_seen="i do not see {x}",
    acknowledgment="okay",
    person="a person",
    cat="a cat",
    decorations=("please {q}", "hey {q}", "{q} please"),
    questions={
        "list": Phrases(
            (
                "what is on the table?",
                "what do you see on the table?",
                "what is there on the table?",
                "which objects are on the table?",
                "tell me what is on the table",
                "what things are on the table?",
            ),
            ("which things do you see on the table?", "tell me which objects are on the table"),
        ),
        "count": Phrases(
            (
                "how many objects are on the table?",
                "how many things do you see on the table?",
                "count the objects on the table",
                "how many things are there on the table?",
            ),
            ("count the things on the table", "how many objects do you see on the table?"),
        ),
        "count_of": Phrases(
            (
                "how many {x} are there?",
                "how many {x} do you see?",
                "count the {x}",
                "how many {x} are on the table?",
            ),
            ("how many {x} do you see on the table?", "count the {x} on the table"),
        ),
        "exists": Phrases(
            (
                "is there {x}?",
                "do you see {x}?",
                "is {x} on the table?",
                "is there {x} on the table?",
            ),
            ("do you see {x} on the table?",),
        ),
        "where": Phrases(
            (
                "where is {x}?",
                "where do you see {x}?",
                "where on the table is {x}?",
                "tell me where {x} is",
            ),
            ("where on the table do you see {x}?",),
        ),
        "colour": Phrases(
            (
                "what colour is the {x}?",
                "which colour does the {x} have?",
                "what is the colour of the {x}?",
                "tell me the colour of the {x}",
            ),
            ("what colour does the {x} have?", "which colour is the {x}?"),
        ),
        "shape": Phrases(
            (
                "what is the {x} object?",
                "what shape is the {x} thing?",
                "which shape does the {x} object have?",
            ),
            ("what shape is the {x} object?", "what is the {x} thing?"),
        ),
        "person": Phrases(
            (
                "is there a person?",
                "do you see a person?",
                "is anyone there?",
                "is somebody in the room?",
            ),
            ("is there a person in the room?", "do you see somebody?"),
        ),
        "where_person": Phrases(
            ("where is the person?", "where do you see the person?", "tell me where the person is"),
            ("where in the room is the person?",),
        ),
        "who": Phrases(
            ("who is in the room?", "who is there?", "who do you see?", "tell me who is there"),
            ("who do you see in the room?", "tell me who is in the room"),
        ),
        "pose": Phrases(
            (
                "what is the person doing?",
                "what does the person do?",
                "tell me what the person is doing",
            ),
            ("what do you see the person doing?",),
        ),
        "cat": Phrases(
            ("is there a cat?", "do you see a cat?", "is the cat there?", "is a cat in the room?"),
            ("is there a cat in the room?", "do you see the cat?"),
        ),
        "where_cat": Phrases(
            ("where is the cat?", "where do you see the cat?", "tell me where the cat is"),
            ("where in the room is the cat?",),
        ),
        "took": Phrases(
            (
                "what did the hand take away?",
                "what was taken away?",
                "what did the hand take from the table?",
            ),
            ("what was taken away from the table?", "tell me what was taken away"),
        ),
        "brought": Phrases(
            ("what did the hand bring?", "what was brought?", "tell me what the hand did bring"),
            ("what did the hand bring to the table?", "tell me what was brought"),
        ),
        "last": Phrases(
            (
                "what happened last?",
                "what just happened?",
                "tell me what just happened",
                "what was the last event?",
            ),
            ("tell me what happened last",),
        ),
        "order": Phrases(
            (
                "which came first {x} or {y}?",
                "what came first {x} or {y}?",
                "tell me which came first {x} or {y}",
            ),
            ("tell me what came first {x} or {y}",),
        ),
    },
    facets={
        "door": Facet(
            ("open", "closed"),
            Phrases(
                ("is the door {v}?", "do you see the door {v}?"), ("tell me is the door {v}?",)
            ),
            Phrases(
                ("is the door open or closed?", "how is the door?"), ("tell me how is the door",)
            ),
        ),
        "lamp": Facet(
            ("on", "off"),
            Phrases(("is the lamp {v}?", "is the light {v}?"), ("tell me is the lamp {v}?",)),
            Phrases(("is the lamp on or off?", "how is the lamp?"), ("is the light on or off?",)),
        ),
        "kettle": Facet(
            ("steaming", "quiet"),
            Phrases(
                ("is the kettle {v}?", "do you see the kettle {v}?"),
                ("tell me is the kettle {v}?",),
            ),
            Phrases(
                ("how is the kettle?", "what is the kettle doing?"), ("tell me how is the kettle",)
            ),
        ),
        "cup": Facet(
            ("near the edge", "safe"),
            Phrases(("is the cup {v}?", "do you see the cup {v}?"), ("tell me is the cup {v}?",)),
            Phrases(("how is the cup?", "where is the cup?"), ("tell me where the cup is",)),
        ),
        "night": Facet(
            ("night", "day"),
            Phrases(("is it {v}?", "is it {v} now?"), ("tell me is it {v} now",)),
            Phrases(
                ("is it day or night?", "what time of day is it?"), ("is it day or night now?",)
            ),
        ),
    },
    once=Phrases(
        (
            "tell me when {c}",
            "let me know when {c}",
            "alert me when {c}",
            "tell me if {c}",
            "say something when {c}",
            "warn me when {c}",
            "when {c} tell me",
            "i want to know when {c}",
        ),
        ("let me know if {c}", "when {c} let me know"),
    ),
    always=Phrases(
        (
            "tell me every time {c}",
            "let me know whenever {c}",
            "each time {c} tell me",
            "alert me every time {c}",
            "whenever {c} tell me",
            "say something every time {c}",
        ),
        ("let me know every time {c}", "tell me whenever {c}"),
    ),
    clauses={
        "item enters": Phrases(
            ("{x} appears", "{x} comes", "{x} arrives", "{x} is put on the table"),
            ("{x} comes on the table",),
        ),
        "item leaves": Phrases(
            ("{x} leaves", "{x} is gone", "{x} is taken away", "{x} goes away"),
            ("{x} leaves the table",),
        ),
        "person enters": Phrases(
            (
                "a person comes in",
                "somebody comes in",
                "a person appears",
                "someone enters the room",
            ),
            ("somebody enters the room",),
        ),
        "person leaves": Phrases(
            ("the person leaves", "the person goes away", "somebody leaves the room"),
            ("the person leaves the room",),
        ),
        "person reaches": Phrases(
            ("the person reaches for something", "somebody reaches over the table"),
            ("the person reaches over the table",),
        ),
        "person falls": Phrases(
            ("the person falls", "somebody falls", "a person falls down"),
            ("the person falls down",),
        ),
        "person gets up": Phrases(
            ("the person gets up", "somebody gets up"), ("a person gets up",)
        ),
        "door opens": Phrases(("the door opens", "somebody opens the door"), ("the door is open",)),
        "door closes": Phrases(
            ("the door closes", "somebody closes the door"), ("the door is closed",)
        ),
        "lamp goes on": Phrases(
            ("the lamp goes on", "the light goes on", "the lamp is on"), ("the light is on",)
        ),
        "lamp goes off": Phrases(
            ("the lamp goes off", "the light goes off", "the lamp is off"), ("the light is off",)
        ),
        "kettle starts": Phrases(
            ("the kettle is steaming", "steam comes", "the kettle starts"), ("you see steam",)
        ),
        "kettle stops": Phrases(
            ("the kettle is quiet", "the steam is gone", "the kettle stops"), ("the steam stops",)
        ),
        "cat comes": Phrases(
            ("the cat comes", "a cat appears", "a cat comes in"), ("the cat appears",)
        ),
        "cat leaves": Phrases(
            ("the cat leaves", "the cat goes away", "the cat is gone"), ("the cat leaves the room",)
        ),
        "cat jumps up": Phrases(
            ("the cat jumps on the table", "the cat is on the table"),
            ("the cat comes on the table",),
        ),
        "cat jumps down": Phrases(
            ("the cat jumps down", "the cat leaves the table"), ("the cat is on the floor",)
        ),
        "cup near edge": Phrases(
            ("the cup is near the edge", "the cup comes near the edge", "the cup is not safe"),
            ("you see the cup near the edge",),
        ),
        "cup safe": Phrases(
            ("the cup is safe", "the cup leaves the edge"), ("you see the cup safe",)
        ),
        "night falls": Phrases(("it gets dark", "night comes"), ("it is night",)),
        "day breaks": Phrases(("it gets light", "day comes"), ("it is day",)),
    },
    announcements={
        "item enters": "{a} appeared",
        "item leaves": "{the} left",
        "item moves": "{the} moved",
        "person enters": "a person came in",
        "person leaves": "the person left",
        "person reaches": "the person reached over the table",
        "person falls": "the person fell",
        "person gets up": "the person got up",
        "door opens": "the door opened",
        "door closes": "the door closed",
        "lamp goes on": "the lamp went on",
        "lamp goes off": "the lamp went off",
        "kettle starts": "the kettle is steaming",
        "kettle stops": "the kettle stopped",
        "cat comes": "the cat came",
        "cat leaves": "the cat left",
        "cat jumps up": "the cat jumped on the table",
        "cat jumps down": "the cat jumped down",
        "cup near edge": "the cup is near the edge",
        "cup safe": "the cup is safe",
        "night falls": "it got dark",
        "day breaks": "it got light",
    },
    foreign="i only know my simulated room",
    unknown="i did not understand",
    thanks=(Phrases(("thank you", "thanks", "thank you very much"), ("many thanks",)), "okay"),
    greeting=(Phrases(("hello", "hello there", "good morning"), ("hello robot",)), "hello"),
    again=Phrases(("and now?", "what about now?", "is it still so?"), ("how about now?",)),
    also=Phrases(("and {x}?", "what about {x}?"), ("how about {x}?",)),
    correction=Phrases(
        ("no i mean {x}", "i mean {x}", "sorry i mean {x}", "no {x}"), ("sorry no {x}",)
    ),
    where_it=Phrases(("where is it?", "where do you see it?"), ("tell me where it is",)),
    nouns={
        "door": "the door",
        "lamp": "the lamp",
        "kettle": "the kettle",
        "cup": "the cup",
        "where_cat": "the cat",
        "where_person": "the person",
        "cat": "a cat",
        "person": "a person",
    },
    strange=Phrases(
        (
            "where is the {z}?",
            "is there a {z}?",
            "is the {z} open?",
            "what colour is the {z}?",
            "how many {z} are there?",
            "tell me when the {z} comes",
            "let me know if a {z} appears",
            "what is the {z} doing?",
            "do you see the {z}?",
            "is the {z} on?",
            "{z} the {z}",
            "what {z} is it?",
            "{z} {z} {z}",
            "{z}",
            "can you {z} me?",
        ),
        ("do you see a {z} on the table?", "when the {z} leaves tell me"),
    ),
    strangers=(
        "dog",
        "car",
        "phone",
        "bottle",
        "weather",
        "president",
        "laptop",
        "sofa",
        "qwrt",
        "music",
        "bicycle",
        "recipe",
        "zebra",
        "joke",
        "blorp",
    ),
)
