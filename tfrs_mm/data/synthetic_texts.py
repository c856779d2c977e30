"""Titles and descriptions on eight topics: words of the topic among words that all topics share."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class _Topic:
    """The words of one topic."""

    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]  # as in "how to ..."
    people: tuple[str, ...]
    places: tuple[str, ...]


def write_text(rng: np.random.Generator, topic: int) -> tuple[str, str]:
    """A new title and a description of one or two sentences.

    Args:
        rng: decides everything but the topic.
        topic: index into `TEXT_TOPICS`.
    """
    words = _TOPICS[TEXT_TOPICS[topic]]
    title = _fill(rng, words, _TITLES[rng.integers(len(_TITLES))])
    chosen = rng.choice(len(_SENTENCES), rng.integers(1, 3), replace=False)
    sentences = [_fill(rng, words, _SENTENCES[index]) for index in chosen]
    return title.title().replace("'S", "'s"), " ".join(s[0].upper() + s[1:] for s in sentences)


def _fill(rng: np.random.Generator, words: _Topic, template: str) -> str:
    """Fills a template's gaps, with no noun, adjective, verb or place twice."""
    nouns, adjectives = rng.permutation(words.nouns), rng.permutation(words.adjectives)
    verbs, places = rng.permutation(words.verbs), rng.permutation(words.places)
    text = template.format(
        noun=nouns[0],
        thing=nouns[1],
        item=nouns[2],
        adjective=adjectives[0],
        quality=adjectives[1],
        verb=verbs[0],
        act=verbs[1],
        person=rng.choice(words.people),
        place=places[0],
        manner=rng.choice(_MANNERS),
        when=rng.choice(_TIMES),
        kind=rng.choice(_FORMS),
    )
    return _with_articles(text)


def _with_articles(text: str) -> str:
    """`a` before a vowel becomes `an`."""
    words = text.split(" ")
    for index in range(len(words) - 1):
        if words[index] in ("a", "A") and words[index + 1][0].lower() in "aeiou":
            words[index] += "n"
    return " ".join(words)


# fmt: off
_MANNERS = (
    "slowly", "with care", "at last", "against all advice", "without hurry", "for the first time",
    "by hand",
)
_TIMES = (
    "one long winter", "a single weekend", "last summer", "a whole year", "a quiet week",
    "one busy evening",
)
_FORMS = ("story", "film", "guide", "collection", "portrait", "series", "special")

_TITLES = (
    "the {adjective} {noun}",
    "{adjective} {noun} and {thing}",
    "the {person} of the {place}",
    "{noun}, {thing}, {item}",
    "how to {verb} the {noun}",
    "a {noun} in the {place}",
    "the {person}'s {adjective} {noun}",
    "the {quality} {place}",
)
_SENTENCES = (
    "a {kind} about a {person} who learns to {verb} the {adjective} {noun} in the {place}, "
    "{manner}.",
    "over {when} a {quality} {person} has to {verb} every {noun} and {act} the {thing}.",
    "this {kind} follows the {noun}, the {thing} and the {adjective} {item} through {when}.",
    "nobody at the {place} knew how to {verb} a {adjective} {noun} until the {person} came.",
    "with a {noun} and a {quality} {thing}, the {person} begins to {act}, {manner}.",
    "a {adjective} {kind} from the {place}: one {noun}, one {person} and the {thing}.",
)

_TOPICS: dict[str, _Topic] = {
    "cooking": _Topic(
        nouns=(
            "soup", "loaf", "plate of pasta", "pancake", "garlic sauce", "sauce", "pastry",
            "pepper", "cheesecake", "pie", "onion", "lemon", "recipe", "cake", "stew", "omelette",
            "dessert",
        ),
        adjectives=(
            "spicy", "roasted", "buttery", "crispy", "sweet", "savoury", "tender", "homemade",
            "salty", "delicious",
        ),
        verbs=(
            "bake", "season", "fry", "simmer", "taste", "knead", "roast",
        ),
        people=(
            "chef", "baker", "pastry cook", "grandmother", "waiter",
        ),
        places=(
            "kitchen", "bakery", "restaurant", "farmers' market", "dining room",
        ),
    ),
    "space": _Topic(
        nouns=(
            "planet", "rocket", "galaxy", "comet", "satellite", "star", "moon", "asteroid",
            "nebula", "orbit", "telescope", "spacecraft", "meteor", "black hole", "eclipse",
            "supernova", "launch",
        ),
        adjectives=(
            "interstellar", "cosmic", "lunar", "weightless", "orbital", "solar", "distant",
            "galactic", "alien", "stellar",
        ),
        verbs=(
            "launch", "orbit", "observe", "explore", "dock", "colonise", "chart",
        ),
        people=(
            "astronaut", "astronomer", "space pilot", "cosmonaut", "mission controller",
        ),
        places=(
            "space station", "observatory", "lunar base", "milky way", "launch pad",
        ),
    ),
    "football": _Topic(
        nouns=(
            "goal", "match", "penalty", "league", "trophy", "striker", "tackle", "stadium",
            "team", "season", "cup final", "corner kick", "header", "derby", "free kick",
            "kick-off", "championship",
        ),
        adjectives=(
            "unbeaten", "athletic", "winning", "offensive", "defensive", "sporting", "injured",
            "promoted", "competitive", "triumphant",
        ),
        verbs=(
            "score", "tackle", "train", "defend", "dribble", "win", "kick",
        ),
        people=(
            "goalkeeper", "coach", "striker", "referee", "team captain",
        ),
        places=(
            "stadium", "locker room", "training ground", "football pitch", "premier league",
        ),
    ),
    "gardening": _Topic(
        nouns=(
            "rose", "seedling", "compost heap", "tulip", "hedge", "greenhouse", "garden path",
            "orchid", "fern", "lawn", "flower bed", "watering can", "blossom", "herb",
            "apple tree", "weed", "lavender",
        ),
        adjectives=(
            "blooming", "leafy", "fragrant", "evergreen", "wild", "budding", "overgrown",
            "botanical", "flowering", "shady",
        ),
        verbs=(
            "plant", "prune", "water", "grow", "rake", "harvest", "sow",
        ),
        people=(
            "gardener", "florist", "botanist", "plant breeder", "landscaper",
        ),
        places=(
            "garden", "greenhouse", "orchard", "allotment", "plant nursery",
        ),
    ),
    "crime": _Topic(
        nouns=(
            "murder", "clue", "alibi", "robbery", "witness", "fingerprint", "confession",
            "pistol", "suspect", "blackmail letter", "corpse", "ransom", "forgery", "motive",
            "theft", "bottle of poison", "conspiracy",
        ),
        adjectives=(
            "guilty", "murderous", "suspicious", "corrupt", "unsolved", "sinister", "wanted",
            "criminal", "innocent", "forged",
        ),
        verbs=(
            "investigate", "arrest", "interrogate", "frame", "accuse", "betray", "solve",
        ),
        people=(
            "detective", "inspector", "murderer", "thief", "police officer",
        ),
        places=(
            "crime scene", "police station", "courtroom", "prison", "dark alley",
        ),
    ),
    "ocean": _Topic(
        nouns=(
            "whale", "reef", "ship", "tide", "anchor", "dolphin", "sail", "wave", "lighthouse",
            "seashell", "submarine", "shark", "harbour", "fishing net", "storm at sea", "octopus",
            "island",
        ),
        adjectives=(
            "underwater", "salty", "nautical", "stormy", "tropical", "sunken", "drifting",
            "marine", "coastal", "deep-sea",
        ),
        verbs=(
            "sail", "dive", "steer", "fish", "navigate", "swim", "anchor",
        ),
        people=(
            "sailor", "captain", "diver", "fisherman", "marine biologist",
        ),
        places=(
            "open sea", "harbour", "coral reef", "beach", "ocean floor",
        ),
    ),
    "computing": _Topic(
        nouns=(
            "algorithm", "database", "server", "compiler", "software update", "laptop",
            "keyboard", "network", "password", "robot", "source code", "processor", "bug",
            "website", "firewall", "app", "cloud server",
        ),
        adjectives=(
            "digital", "encrypted", "automated", "open-source", "virtual", "binary", "online",
            "computational", "wireless", "programmable",
        ),
        verbs=(
            "program", "debug", "hack", "compile", "download", "encrypt", "automate",
        ),
        people=(
            "programmer", "hacker", "software engineer", "data scientist", "system administrator",
        ),
        places=(
            "data centre", "internet", "computer lab", "software start-up", "server room",
        ),
    ),
    "medieval": _Topic(
        nouns=(
            "sword", "castle", "crown", "dragon", "shield", "suit of armour", "throne", "siege",
            "kingdom", "quest", "dungeon", "banner", "crusade", "tournament", "horse", "oath",
            "legend",
        ),
        adjectives=(
            "royal", "noble", "chivalrous", "feudal", "cursed", "ancient", "heroic", "medieval",
            "loyal", "enchanted",
        ),
        verbs=(
            "besiege", "crown", "slay", "conquer", "swear", "guard", "joust",
        ),
        people=(
            "knight", "king", "queen", "squire", "wizard",
        ),
        places=(
            "castle", "kingdom", "throne room", "abbey", "battlefield",
        ),
    ),
}
# fmt: on
TEXT_TOPICS = tuple(_TOPICS)
