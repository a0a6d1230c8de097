import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UserError
from vitreous.formats.star import Table, parse_star, read_star, star_text, write_star

BROKEN = {"leginon__movies.star": "the file is empty"}
NOT_WRITTEN = {"sfftk__test_data3.star": "an mmCIF file with texts of several lines"}


def contents(tables):
    return [(table.name, table.columns, table.is_loop) for table in tables]


def test_the_corpus_is_read_and_comes_back(shared):
    paths = sorted((shared / "data" / "parsers" / "star").iterdir())
    assert len(paths) == 159

    for path in paths:
        if path.name in BROKEN:
            with pytest.raises(FormatError, match=BROKEN[path.name]):
                read_star(path)
        elif path.name in NOT_WRITTEN:
            assert len(read_star(path)) > 1
        else:
            tables = read_star(path)
            assert contents(parse_star(star_text(tables))) == contents(tables), path.name


def test_relions_layout_is_written_to_the_byte(shared, tmp_path):
    """A file by RELION itself (version 30001, trailing blanks and all)."""
    source = shared / "data" / "parsers" / "star" / "relion__220728_TS_01.star__commit_32529b58_"

    write_star(tmp_path / "again.star", read_star(source))

    found = (tmp_path / "again.star").read_text().split("\n")
    wanted = source.read_text().split("\n")
    assert found[:40] == wanted[:40]


def test_names_stay_text_and_what_the_dialect_allows_is_read():
    text = (
        "# version 50001\r\n\r\ndata_\r\n\r\n_rlnTomoName  00255\r\n_rlnEmpty ''\r\n\r\n"
        "data_twice\nloop_ \n_rlnA #3 \n_rlnB #9\n1 'two words' # remark\n$TMP data_x.mrc\n\n"
        "data_twice\nloop_\n_rlnA\n"
    )

    first, second, third = parse_star(text)

    assert (first.name, first.is_loop, first.comments) == ("", False, ("version 50001",))
    assert first.columns == {"rlnTomoName": ["00255"], "rlnEmpty": [""]}
    assert second.columns == {"rlnA": ["1", "$TMP"], "rlnB": ["two words", "data_x.mrc"]}
    assert (third.name, third.columns, len(third)) == ("twice", {"rlnA": []}, 0)


@pytest.mark.parametrize("name", ["TS 03 [new] (2)", 'it\'s "quoted"', "größe", "00255", "#3"])
def test_a_table_may_have_any_name(name):
    tables = [Table(name, {"rlnA": ["data_x", "y"], "rlnB": ["1", "2"]}) for _ in range(2)]

    again = parse_star(star_text([*tables, Table("last", {"rlnA": ["1"]}, is_loop=False)]))

    assert [table.name for table in again] == [name, name, "last"]
    assert again[1].columns == tables[1].columns


def test_a_short_row_is_filled_and_said(caplog):
    (table,) = parse_star("data_a\nloop_\n_x\n_y\n1 2\n3\n")

    assert table.columns == {"x": ["1", "3"], "y": ["2", ""]}
    assert "6: 1 of 2 values" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_a\nloop_\n_x\n_y\n1 2\n1 2 3\n", r"x.star:6: expected 2 values, found 3: '1 2 3'"),
        ("data_a\n_x 1\n_x 2\n", "x.star:2?.*duplicate"),
        ("hello\n", "x.star:1: expected block header"),
        ("\n# nothing\n", "x.star:1: no tables"),
        ("data_a\n\n5\n", "x.star:3: "),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, text, message):
    path = tmp_path / "x.star"
    path.write_text(text)

    with pytest.raises(FormatError, match=message):
        read_star(path)


def test_a_wrong_number_names_its_line(tmp_path):
    path = tmp_path / "x.star"
    path.write_text("data_a\nloop_\n_x\n_v\n1 [1,2]\nfoo [1,2,3]\n")
    (table,) = read_star(path)

    with pytest.raises(FormatError, match=r"x.star:6: x: expected a number, found 'foo'"):
        table.numbers("x")
    with pytest.raises(FormatError, match=r"x.star:6: v: expected 2 numbers"):
        table.vectors("v", 2)
    with pytest.raises(FormatError, match=r"no column z\. It has x, v"):
        table.texts("z")


WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="'\"")
    | st.just(" "),
    max_size=8,
).filter(lambda word: word == word.strip() and word.isprintable())
LABEL = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,9}", fullmatch=True)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_table_comes_back(data):
    labels = data.draw(st.lists(LABEL, min_size=1, max_size=4, unique_by=str.lower))
    is_loop = data.draw(st.booleans())
    rows = data.draw(st.integers(0, 3)) if is_loop else 1
    columns = {t: data.draw(st.lists(WORD, min_size=rows, max_size=rows)) for t in labels}
    table = Table(data.draw(LABEL | st.just("")), columns, is_loop, ("version 50001",))

    assert parse_star(star_text([table, table])) == [table, table]


@settings(max_examples=200, deadline=None)
@given(st.text("_data lop\n\t#'\";$[]1.xé") | st.text())
def test_garbage_is_a_clear_error(text):
    for content in (text, "data_a\nloop_\n_x\n" + text):
        found = read_or_error(content)
        assert found or isinstance(found, FormatError)


def read_or_error(text):
    try:
        return parse_star(text)
    except FormatError as error:
        return error.line and error


@pytest.mark.parametrize(
    "text", ["a b", "it's", 'say "a"', "a 'b' \"c\"", "'a", 'b"', "_c", "#3", ""]
)
def test_a_text_may_hold_blanks_and_quotes(text):
    table = Table("", {"rlnTomoName": [text], "rlnB": ["1"]})

    assert parse_star(star_text([table]))[0].columns == table.columns


def test_a_text_that_neither_kind_of_quotes_can_hold_is_refused():
    table = Table("", {"rlnTomoName": ["a\" b' c"]})

    with pytest.raises(UserError, match="both kinds of quotes"):
        star_text([table])
