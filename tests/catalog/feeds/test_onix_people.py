import pytest

from tests.catalog.feeds.onix import book, product

LONG = [f"Author Number {number:02}" for number in range(20)]


def person(name: str, role: str = "A01", sequence: str = "") -> str:
    numbered = f"<SequenceNumber>{sequence}</SequenceNumber>" if sequence else ""
    return contributor(f"<PersonName>{name}</PersonName>", role, numbered)


def contributor(named: str, role: str = "A01", numbered: str = "") -> str:
    return f"<Contributor>{numbered}<ContributorRole>{role}</ContributorRole>{named}</Contributor>"


def author(detail: str) -> str:
    return book(product(detail=detail)).author


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("<PersonName>Jane Austen</PersonName><PersonNameInverted>No, No</PersonNameInverted>", "Jane Austen"),
        ("<NamesBeforeKey>Maj</NamesBeforeKey><KeyNames>Sjöwall</KeyNames>", "Maj Sjöwall"),
        (
            "<TitlesBeforeNames>Dr</TitlesBeforeNames><PrefixToKey>van</PrefixToKey><KeyNames>Beethoven</KeyNames>",
            "Dr van Beethoven",
        ),
        (
            "<NamesBeforeKey>Sammy</NamesBeforeKey><KeyNames>Davis</KeyNames><SuffixToKey>III</SuffixToKey>",
            "Sammy Davis III",
        ),
        ("<KeyNames>Voltaire</KeyNames>", "Voltaire"),
        ("<CorporateName>The British Museum</CorporateName>", "The British Museum"),
        ("<PersonNameInverted>Austen, Jane</PersonNameInverted>", "Jane Austen"),
        ("<PersonNameInverted>King, Martin Luther, Jr.</PersonNameInverted>", "Martin Luther King, Jr."),
        ("<PersonNameInverted>Voltaire</PersonNameInverted>", "Voltaire"),
        ("<UnnamedPersons>02</UnnamedPersons>", "Anonymous"),
        ("<UnnamedPersons>04</UnnamedPersons>", "Various authors"),
        ("<UnnamedPersons>01</UnnamedPersons>", ""),
        ("<NamesBeforeKey>Jane</NamesBeforeKey>", ""),
        ("<PersonName>Jane &amp;amp; Henry</PersonName>", "Jane & Henry"),
    ],
)
def test_a_name_is_read_however_it_is_written(named: str, name: str) -> None:
    assert author(contributor(named)) == name


@pytest.mark.parametrize(
    ("detail", "authors"),
    [
        (person("B", sequence="2") + person("A", sequence="1"), "A, B"),
        (person("B", sequence="10") + person("A", sequence="9") + person("C"), "A, B, C"),
        (person("A", sequence="x") + person("B", sequence="٣"), "A, B"),
        (person("Editor", "B01") + person("Author", "A01") + person("Drawer", "A12"), "Author"),
        (person("Drawer", "A12") + person("Editor", "B01") + person("Editress", "B01"), "Editor, Editress"),
        (person("Translator", "B06") + person("Composer", "A06"), "Composer"),
        (person("Reader", "E07") + person("Drawer", "A12"), "Drawer"),
        (person("Reader", "E07"), ""),
        (person("A") + person("A", "A12") + person("A", sequence="7"), "A"),
        (contributor("<PersonName>A</PersonName>", "A12</ContributorRole><ContributorRole>A01"), "A"),
        ("<Contributor><PersonName>A</PersonName></Contributor>", "A"),
        (person("") + person("B"), "B"),
        (person("Sammy Davis, Jr.") + person("Jane Boyar"), "Sammy Davis, Jr.; Jane Boyar"),
        ("<ContributorStatement>By Jane Austen and others</ContributorStatement>", "Jane Austen and others"),
        (person("A") + "<ContributorStatement>By B</ContributorStatement>", "A"),
    ],
)
def test_the_authors_stand_in_their_sequence_and_others_where_there_are_none(detail: str, authors: str) -> None:
    assert author(detail) == authors


def test_a_long_list_is_cut_to_whole_names() -> None:
    assert author("".join(map(person, LONG))) == ", ".join(LONG[:8]) + " et al."
