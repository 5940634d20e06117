//! Which operations the sources hold.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of the operations of `src/ops/`: those that a `name` or a `NAME` spells out, and those of the
/// rows of the tables.
pub(crate) fn operations() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    // A table may have rows in several files.
    let tables: BTreeSet<&str> = files.iter().flat_map(|(_, text)| tables(text)).collect();
    let mut names = BTreeSet::new();
    for (file, text) in &files {
        names.extend(spelled(text, file));
        for table in &tables {
            let invocation = format!("\n{table}! {{\n");
            text.split(&invocation).skip(1).for_each(|rows| names.extend(in_table(rows, table)));
        }
    }
    names
}

/// The macros whose rows become operations.
fn tables(text: &str) -> impl Iterator<Item = &str> {
    let macros = text.split("\nmacro_rules! ").skip(1).map(|rest| rest.split_once(" {").expect("a macro"));
    macros.filter_map(|(name, rest)| {
        let body = &rest[..rest.find("\n}").expect("the macro's end")];
        (body.contains("fn name(") || body.contains("const NAME:")).then_some(name)
    })
}

/// The strings in the bodies of `fn name` and after `NAME`. Where there is none, the name must come from a
/// table or be that of the operation inside.
fn spelled(text: &str, file: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split("fn name(&self) -> &'static str {").skip(1) {
        // The body ends at the line that closes it: at the indentation of an implementation's methods.
        let end = ["\n    }", "\n                }"].iter().filter_map(|close| part.find(close)).min();
        names.extend(strings(&part[..end.expect("a body")], file));
    }
    for part in text.split("const NAME: &'static str =").skip(1) {
        names.extend(strings(&part[..part.find(';').expect("a value")], file));
    }
    names
}

fn strings(body: &str, file: &str) -> Vec<String> {
    let found: Vec<String> = body.split('"').skip(1).step_by(2).map(String::from).collect();
    let from_elsewhere =
        ["F::NAME", "L::NAME", "stringify!($name)", "$name", "self.0.name()"].contains(&body.trim());
    assert!(!found.is_empty() || from_elsewhere, "{file}: no name can be read from `{}`", body.trim());
    found
}

/// The names in the rows of a table: the string before the colon, or else the method after the type.
fn in_table(rows: &str, table: &str) -> Vec<String> {
    let rows = &rows[..rows.find("\n}").expect("the table's end")];
    let heads = rows.lines().filter(|line| {
        let row = line.strip_prefix("    ").unwrap_or_default();
        row.starts_with(|c: char| c.is_ascii_uppercase())
    });
    let names: Vec<String> = heads
        .map(|head| match head.split('"').nth(1) {
            Some(name) => name.to_string(),
            None => {
                let method = head.split_whitespace().nth(1).expect("a method after the type");
                method.split(['(', ':']).next().expect("a name").to_string()
            }
        })
        .collect();
    assert!(!names.is_empty(), "no row can be read from `{table}`");
    names
}
