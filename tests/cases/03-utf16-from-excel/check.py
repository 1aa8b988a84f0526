"""Text files that are not UTF-8, read with a layout that says nothing of it.

Right: an error that says that the file is UTF-16 and that the layout's `encoding` has to be set; for Latin-1 one that
says "not UTF-8" in the line printed; never the file's content in the message."""

# The content of thirty rows would be thousands of letters; a message is a few sentences.
MESSAGE_LETTERS_MAX = 600


def check(case):
    for file, words in [("unicode.txt", ["utf-16", "encoding"]), ("latin.csv", ["not UTF-8"]), ("u16.ndjson", ["utf-16", "encoding"])]:
        done = case.septet("step", "fraud", "extract", "--run", file.replace(".", "-"), "--source", file, "--layout", "demo")
        case.failed(file, done, *words)
        case.holds(f"{file}: a message of {len(done.err)} letters", len(done.err) <= MESSAGE_LETTERS_MAX and "\0" not in done.err, done.err)
    case.layout("u16", 'encoding = "utf-16le"')
    done = case.septet("step", "fraud", "extract", "--run", "x", "--source", "utf8.csv", "--layout", "u16")
    case.failed("a wrong encoding", done)
    case.holds(f"a wrong encoding: a message of {len(done.err)} letters", len(done.err) <= MESSAGE_LETTERS_MAX, done.err)
