"""Downloads of every edition, as small as they can be, written by hand."""

import csv
import gzip
import json
import pathlib
from collections.abc import Callable

FILMS = {
    "movies.csv": (
        "movieId,title,genres\n"
        "1,Toy Story (1995),Adventure|Animation|Children\n"
        '2,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Adventure\n'
        "3,Fawlty Towers (1975-1979),Comedy\n"
        "4,No Year Here,(no genres listed)\n"
        '5,"A ""Quoted"" Film (2001)",Drama\n'
    ),
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n2,0112682,902\n3,0072500,\n",
    "tags.csv": (
        "userId,movieId,tag,timestamp\n"
        "2,1,Pixar,1445714994\n"
        '2,1,"fun, for all",1445714996\n'
        "3,1,pixar ,1445714997\n"
        "4,2,dark,1445714998\n"
    ),
}
OLD_FILMS = (
    "1::Toy Story (1995)::Animation|Children's|Comedy\n"
    "73::Misérables, Les (1995)::Drama|Musical\n"
    "260::Star Wars:: Episode IV - A New Hope (1977)::Action|Sci-Fi\n"
)
OLD_USERS = "1::F::1::10::48067\n2::M::56::16::70072\n"
Writer = Callable[..., pathlib.Path]


def ratings(separator: str, films: tuple[int, ...], whole: bool) -> str:
    """Four ratings of each of three users."""
    stars = ("5", "3", "4", "1") if whole else ("5.0", "3.5", "4.0", "0.5")
    return "".join(
        separator.join(
            (str(user), str(films[(user + k) % len(films)]), stars[k], str(10**9 + 60 * user + k))
        )
        + "\n"
        for user in (1, 2, 3)
        for k in range(4)
    )


def write_files(folder: pathlib.Path, files: dict[str, str | bytes]) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode("utf-8") if isinstance(content, str) else content
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith("gz") else data)
    return folder


def movielens_csv(folder: pathlib.Path, **more: str) -> pathlib.Path:
    log = "userId,movieId,rating,timestamp\n" + ratings(",", (1, 2, 3, 4, 5), whole=False)
    return write_files(folder, {"ratings.csv": log, **FILMS, **more})


def movielens_1m(folder: pathlib.Path) -> pathlib.Path:
    log = ratings("::", (1, 73, 260), whole=True)
    films = OLD_FILMS.encode("latin-1")
    return write_files(folder, {"ratings.dat": log, "movies.dat": films, "users.dat": OLD_USERS})


def movielens_10m(folder: pathlib.Path) -> pathlib.Path:
    log = ratings("::", (1, 73, 260), whole=False)
    tags = "15::73::très triste::1215184630\n16::73::Paris::1215184631\n16::1::toys::1\n"
    return write_files(folder, {"ratings.dat": log, "movies.dat": OLD_FILMS, "tags.dat": tags})


def product(asin: str, **fields: object) -> dict:
    return {
        "main_category": "All Beauty", "title": f"Title of {asin}", "average_rating": 4.8,
        "rating_number": 10, "features": [], "description": [], "price": None, "images": [],
        "videos": [], "store": "Howard Products", "categories": [], "details": {},
        "parent_asin": asin, "bought_together": None, **fields,
    }  # fmt: skip


PRODUCTS = (
    product(
        "B01CUPMQZE",
        title="Leather  Conditioner,\n8-Ounce",
        features=["Soft", "Clean"],
        description=["For leather.", "Made | here."],
        categories=["Beauty", "Care|Leather", "Beauty"],
        price=12.5,
        images=[
            {"thumb": "https://m/t.jpg", "large": "https://m/p.jpg", "variant": "PT01"},
            {"large": "https://m/l.jpg", "hi_res": None, "variant": "MAIN"},
        ],
    ),
    product("B002", price="from 4.99"),
    product("B003", title=None, store=None, images=None),
)


def review(user: str, asin: str, rating: float, time: int, verified: bool = True) -> dict:
    return {
        "rating": rating, "title": "Such a lovely scent", "text": "I like it.", "images": [],
        "asin": f"{asin}V", "parent_asin": asin, "user_id": user, "timestamp": time,
        "helpful_vote": 0, "verified_purchase": verified,
    }  # fmt: skip


REVIEWS = tuple(
    review(f"AG{user}", ("B01CUPMQZE", "B002", "B003")[(user + k) % 3], 5.0 - k, 1588687728923 + k)
    for user in (1, 2, 3)
    for k in range(3)
)


def json_lines(records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def amazon(folder: pathlib.Path, suffix: str = ".jsonl") -> pathlib.Path:
    return write_files(
        folder,
        {
            f"All_Beauty{suffix}": json_lines(REVIEWS),
            f"meta_All_Beauty{suffix}": json_lines(PRODUCTS),
        },
    )


def amazon_ratings(folder: pathlib.Path) -> pathlib.Path:
    rows = [(r["user_id"], r["parent_asin"], r["rating"], r["timestamp"]) for r in REVIEWS]
    log = "user_id,parent_asin,rating,timestamp\n" + "".join(
        ",".join(str(cell) for cell in row) + "\n" for row in rows
    )
    return write_files(
        folder, {"All_Beauty.csv.gz": log, "meta_All_Beauty.jsonl.gz": json_lines(PRODUCTS)}
    )


PAIRS = ((1, 3, 1583378629552), (1, 1, 1583378630000), (1, 2, 1583378640000),
         (2, 2, 1583378629600), (2, 1, 1583378629700), (2, 9, 1583378629800))  # fmt: skip


def microlens_50k(folder: pathlib.Path) -> pathlib.Path:
    pairs = "user,item,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in PAIRS)
    titles = 'item,title\n1,"Gu long, bad. # comic"\n2,plain title\n3,"a ""big"" one"\n'
    write_files(folder, {"MicroLens-50k_pairs.csv": pairs, "MicroLens-50k_titles.csv": titles})
    write_files(folder / "MicroLens-50k_covers", {"1.jpg": b"cover 1", "2.jpg": b"cover 2"})
    write_files(folder / "MicroLens-50k_videos", {"1.mp4": b"video 1"})
    write_files(folder / "MicroLens-50k_frames" / "1", {"2.jpg": b"a frame"})
    return folder


def microlens_100k(folder: pathlib.Path) -> pathlib.Path:
    """Without times, and with titles that have no header and quotes that do not match."""
    pairs = "1\t3 1 2\n2\t2 1 9\n"
    titles = '1,"never closed\n2,half "quoted, title\n3,"first line\nsecond line"\n'
    labels = "1,Comics\n2,Food\n"
    return write_files(
        folder,
        {
            "MicroLens-100k_pairs.tsv": pairs,
            "MicroLens-100k_title_en.csv": titles,
            "tags_to_summary.csv": labels,
        },
    )


EDITIONS: dict[str, tuple[str, Writer]] = {
    "ml-25m": ("movielens", movielens_csv),
    "ml-1m": ("movielens", movielens_1m),
    "ml-10m": ("movielens", movielens_10m),
    "amazon": ("amazon-reviews", amazon),
    "amazon-ratings": ("amazon-reviews", amazon_ratings),
    "microlens-50k": ("microlens", microlens_50k),
    "microlens-100k": ("microlens", microlens_100k),
}


def read_csv(path: pathlib.Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rejected_lines(text: str) -> list[int]:
    """The numbers of the lines that a file of rejects tells of."""
    return [int(json.loads(line)["where"].rsplit(":", 1)[1]) for line in text.splitlines()]
