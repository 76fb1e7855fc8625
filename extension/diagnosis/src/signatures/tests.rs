use super::*;

/// An entry with a text, and more.
fn with(more: &str) -> String {
    format!("[[signature]]\nid = \"a\"\ntitle = \"t\"\nany-of = [\"Declined\"]\n{more}\n")
}

fn problems(file: &str) -> (Vec<String>, Vec<String>) {
    let (signatures, errors) = parse(file.as_bytes());
    (
        signatures.iter().map(|signature| signature.problem().to_owned()).collect(),
        errors.iter().map(ToString::to_string).collect(),
    )
}

fn only_error(file: &str) -> String {
    let (signatures, errors) = problems(file);
    assert_eq!((signatures.len(), errors.len()), (0, 1), "{signatures:?} {errors:?}");
    errors[0].clone()
}

#[test]
fn an_entry_has_its_keys_or_their_defaults() {
    let (signatures, errors) = parse(with("").as_bytes());
    assert_eq!(errors, []);
    let least = &signatures[0];
    assert_eq!((least.problem(), least.title()), ("custom:a", "t"));
    assert_eq!((least.level, least.stage), (Level::Error, Stage::Confirmed));
    assert_eq!(least.least_level, Level::Info);
    assert!(least.advice.is_empty() && least.reference.is_empty() && least.regex.is_none());
    let more = r#"
        all-of = ["order"]
        none-of = ["test"]
        regex = '(?<order>\d+)'
        least-level = "warn"
        level = "warn"
        stage = "suspected"
        stream = "function"
        advice = "Ask them."
        reference = "https://example.com/declined"
    "#;
    let (signatures, errors) = parse(with(more).as_bytes());
    assert_eq!(errors, []);
    let most = &signatures[0];
    assert_eq!((most.level, most.stage), (Level::Warn, Stage::Suspected));
    assert_eq!((most.least_level, most.advice.as_str()), (Level::Warn, "Ask them."));
    assert_eq!(most.reference, "https://example.com/declined");
    assert_eq!(
        (&most.all_of[..], &most.none_of[..]),
        (&["order".into()][..], &["test".into()][..])
    );
    assert!(most.regex.is_some());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (more, line, reason) in [
        ("least-levl = \"warn\"", 5, "there is no key `least-levl`, but id, title, any-of"),
        ("\nlevel = \"info\"", 6, "`level` is not one of \"error\", \"warn\""),
        ("least-level = \"fatal\"", 5, "`least-level` is not one of \"trace\", \"debug\""),
        ("stage = 1", 5, "`stage` is not one of \"confirmed\", \"suspected\""),
        ("stream = \"stderr\"", 5, "`stream` can only be \"function\": Lambda does not tell"),
        ("stream = \"extension\"", 5, "the records of extensions are not subscribed to"),
        ("advice = \"\"", 5, "`advice` is not a text of 1 to 300 bytes"),
        ("advice = \"a\\nb\"", 5, "without control characters"),
        ("reference = \"http://x\"", 5, "`reference` is not an address that begins with https://"),
        ("reference = \"https://\"", 5, "`reference` is not an address"),
        ("reference = \"https://a b\"", 5, "`reference` is not an address"),
        ("all-of = \"x\"", 5, "`all-of` is not a list of at most 16 texts"),
        (
            "all-of = [\n  \"abc\",\n  7,\n]",
            7,
            "`all-of` holds what is not a text of 3 to 256 bytes",
        ),
        ("none-of = [\"ab\"]", 5, "`none-of` holds what is not a text of 3"),
        ("regex = '('", 5, "`regex` cannot be compiled: "),
        ("regex = '(a)\\1'", 5, "`regex` cannot be compiled: "),
        ("regex = '(?:(?:x{99}){99}){99}'", 5, "`regex` cannot be compiled: "),
        ("regex = '(?<excerpt>x)'", 5, "`regex` has a group `excerpt`"),
        ("regex = '(?<a.b>x)'", 5, "`regex` has a group `a.b`"),
        ("regex = \"\"", 5, "`regex` is not a text of 1 to 512 bytes"),
        ("id = \"b\"", 5, "this is not TOML: duplicate key"),
        ("advice = \"x", 5, "this is not TOML: invalid basic string"),
        ("[signature.more]", 5, "there is no key `more`"),
        ("[more]\nx = 1", 5, "`more` stands outside of the entries"),
        // Of what is never closed the end is told.
        ("advice = '''x", 6, "this is not TOML: invalid multi-line literal string"),
    ] {
        let error = only_error(&with(more));
        assert!(error.starts_with(&format!("line {line}: ")), "{more}: {error}");
        assert!(error.contains(reason), "{more}: {error}");
        assert!(error.len() < 400, "{error}");
    }
    for (entry, line, reason) in [
        ("title = \"t\"\nany-of = [\"abc\"]", 1, "`id` is missing"),
        ("id = \"a\"\nany-of = [\"abc\"]", 1, "`title` is missing"),
        ("id = \"A\"\n", 2, "`id` is not kebab-case"),
        ("id = \"a\"\ntitle = \"t\"\nregex = 'x'", 1, "there is no text in `any-of` or `all-of`"),
        (
            "id = \"a\"\ntitle = \"t\"\nany-of = [\"é:ü\"]",
            4,
            "letters, digits or the like in a row",
        ),
    ] {
        let error = only_error(&format!("[[signature]]\n{entry}"));
        assert!(error.starts_with(&format!("line {line}: ")), "{entry}: {error}");
        assert!(error.contains(reason), "{entry}: {error}");
    }
    for (file, reason) in [
        ("", "line 1: the file holds no [[signature]]"),
        ("# nothing yet\n", "line 1: the file holds no [[signature]]"),
        ("\n[signature]\nid = \"a\"", "line 2: `signature` stands outside of the entries"),
        ("id = \"a\"", "line 1: `id` stands outside of the entries"),
        ("<html>", "line 1: this is not TOML: "),
    ] {
        let error = only_error(file);
        assert!(error.starts_with(reason), "{file}: {error}");
    }
}

#[test]
fn an_entry_that_is_wrong_costs_no_other() {
    let good = |id: &str| with("").replace("id = \"a\"", &format!("id = \"{id}\""));
    for broken in [
        "[[signature]]\nid = \"x",
        "[[signature]]\nany-of = [\"x\"",
        "[[ signature ]] # with a comment\n\ttitle = \"\"\"x",
        "[[signature]]\n= = =",
        "[[signature]]\nid = \"\u{0}\"",
    ] {
        let file = format!("# first\r\n{}{broken}\r\n{}", good("b"), good("c"));
        let (signatures, errors) = problems(&file);
        assert_eq!(signatures, ["custom:b", "custom:c"], "{broken}");
        assert_eq!(errors.len(), 1, "{broken}: {errors:?}");
        let line: usize = errors[0][5..].split(':').next().unwrap().parse().unwrap();
        assert!((6..=9).contains(&line), "{broken}: {errors:?}");
    }
    let mut bytes = good("b").into_bytes();
    bytes.extend(b"[[signature]]\nid = \"\xff\"\n");
    bytes.extend(good("c").into_bytes());
    let (signatures, errors) = parse(&bytes);
    assert_eq!(signatures.len(), 2);
    assert_eq!(errors[0].to_string(), "line 7: this is not UTF-8");
}

#[test]
fn a_name_counts_once() {
    let (signatures, errors) = problems(&with("").repeat(2));
    assert_eq!(signatures, ["custom:a"]);
    assert_eq!(errors, ["line 6: `id` \"a\" stands above already"]);
}

#[test]
fn what_is_over_is_left_out_and_said() {
    let many: String = (0..250).map(|n| with("").replace("\"a\"", &format!("\"a-{n}\""))).collect();
    let (signatures, errors) = problems(&many);
    assert_eq!(signatures.len(), MAX_SIGNATURES);
    assert_eq!(
        errors,
        ["line 1001: there are more than 200 signatures: those from here on are left out"]
    );
    let long = format!("{}{}{}", with(""), with(&"# x\n".repeat(16_384)), with(""));
    let (signatures, errors) = problems(&long);
    assert_eq!(signatures, ["custom:a"]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("line 6: the file is longer than 65536 bytes"), "{errors:?}");
    let captures: String = (0..9).map(|n| format!("(?<a{n}>x)")).collect();
    let error = only_error(&with(&format!("regex = '{captures}'")));
    assert_eq!(error, "line 5: `regex` has more than 8 named groups");
}

#[test]
fn a_byte_order_mark_and_windows_lines_are_no_matter() {
    let (signatures, errors) = problems(&format!("\u{feff}{}", with("")).replace('\n', "\r\n"));
    assert_eq!((signatures.len(), errors), (1, vec![]));
}

#[test]
fn of_texts_that_all_must_be_there_the_longest_is_looked_for() {
    let file =
        with("").replace("any-of", "all-of").replace("\"Declined\"", "\"abc\", \"é longer é\"");
    let (signatures, errors) = parse(file.as_bytes());
    assert_eq!(errors, []);
    let keys: Vec<&str> = signatures[0].keys.iter().map(Key::anchor).collect();
    assert_eq!(keys, ["longer"]);
}
