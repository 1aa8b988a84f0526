"""A header in capitals and one with blanks, in `sql`.

Right: a name in quotation marks finds its column; without them the message says to put them."""


def check(case):
    case.write("people.csv", "Amount,First Name,IBAN\n5,Ada,DE1\n6,Bob,DE2\n")
    quoted = case.rows('SELECT sum("Amount") AS s, max("First Name") AS name, min("IBAN") AS iban FROM \'people.csv\'')
    case.same("quoted", quoted, [{"s": 11, "name": "Bob", "iban": "DE1"}])
    case.failed("not quoted", case.septet("sql", "SELECT Amount FROM 'people.csv'"), '"Amount"')
