"""Listings that a server may give: pages that are empty, tokens that lead nowhere or in a circle,
rows that lack what is optional.
"""

import pytest
from liar import page, reply
from scene import download, refusal, tree

DONE, PAUSED = 0, 5


def row(key, *elements):
    return f"<Contents><Key>{key}</Key><Size>{len(key)}</Size>{''.join(elements)}</Contents>"


FULL = ("<ETag>&quot;e&quot;</ETag>", "<LastModified>2024-01-01T00:00:00.000Z</LastModified>",
        "<StorageClass>STANDARD</StorageClass>", "<Owner><ID>me</ID></Owner>")


def fetch(scene, lie, pages, exit_code=DONE):
    """A run that downloads what these pages list: {token: page}. Each object is its own key."""
    def answer(request):
        if request.is_listing:
            return pages[request.query.get("continuation-token", [""])[0]]
        key = request.path.rsplit("/", 1)[1]
        return reply(b"" if request.method == "HEAD" else key.encode(), "200 OK", 'ETag: "e"')

    liar = lie(answer)
    return scene.run(
        download("", scene.out), store={"url": liar.url}, retries=0, exit_code=exit_code)


def test_an_empty_page_is_not_the_last_one(scene, lie):
    """Case 36."""
    fetch(scene, lie, {"": page("", "1"), "1": page(row("a", *FULL), "2"), "2": page("", "3"),
                       "3": page("", "4"), "4": page(row("b", *FULL))})
    assert tree(scene.out) == {"a": b"a", "b": b"b"}


@pytest.mark.parametrize("length", [1, 2, 3, 10])
@pytest.mark.parametrize("rows", ["", row("a", *FULL)])
def test_a_circle_of_pages_is_an_error(scene, lie, length, rows):
    """Case 36."""
    circle = {f"{n}": page("", f"{(n + 1) % length}") for n in range(length)}
    line = refusal(fetch(scene, lie, {"": page(rows, "0")} | circle, PAUSED))
    assert "token twice" in line and "haul resume" in line


def test_a_page_that_goes_on_nowhere_is_an_error(scene, lie):
    """Case 36."""
    line = refusal(fetch(scene, lie, {"": page(row("a", *FULL), "")}, PAUSED))
    assert "haul resume" in line and "memory" not in line


def test_rows_may_lack_what_is_optional(scene, lie):
    """Case 38."""
    rows = "".join(row(f"{n}", *FULL[:n], *FULL[n + 1:]) for n in range(4)) + row("none")
    fetch(scene, lie, {"": page(rows)})
    assert tree(scene.out) == {name: name.encode() for name in ("0", "1", "2", "3", "none")}
    assert set(scene.states().values()) == {"done"}
