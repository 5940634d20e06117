//! What is promised of the documentation: every layer, loss and initialiser has its source at PyTorch and an example,
//! and what has a forward pass that can fail says when.
//!
//! The sources are read, because a name that is exported tomorrow should be held to it as well. What counts is a struct
//! or an enum that can be called (a `Layer`, an `Init`, or with a `forward` of its own), and each row of a table
//! (`activations! { … }`), which is one more of the same kind. Aliases for 1, 2 and 3 axes are not looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers whose forward pass cannot fail, whatever the input, but for want of memory.
const NEVER_FAIL: &[&str] = &[
    "AlphaDropout",
    "CELU",
    "Dropout",
    "ELU",
    "GELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
];

/// The files of layers, losses and initialisers.
fn sources() -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed = |folder| fs::read_dir(src.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    listed("layers").chain(listed("losses")).chain([src.join("init.rs")]).collect()
}

/// The identifier that a text begins with.
fn name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}

/// The items of a file that can be called, with their documentation.
fn documented(source: &str) -> BTreeMap<&str, String> {
    let mut items = BTreeMap::new();
    let (mut doc, mut in_table) = (String::new(), false);
    for line in source.lines() {
        if let Some(text) = line.trim_start().strip_prefix("///") {
            doc.extend([text, "\n"]);
            continue;
        }
        if line.trim_start().starts_with("#[") {
            continue;
        }
        if line.starts_with(|c: char| !c.is_whitespace()) {
            in_table = line.ends_with("! {") && !line.starts_with("macro_rules!");
        }
        let row = line.strip_prefix("    ").filter(|row| in_table && row.starts_with(char::is_uppercase));
        let item = line.strip_prefix("pub struct ").or(line.strip_prefix("pub enum "));
        if let Some(name) = row.or(item.filter(|item| is_called(source, name(item)))).map(name) {
            items.insert(name, std::mem::take(&mut doc));
        }
        doc.clear();
    }
    items
}

/// The `impl` blocks of a type: what stands before ` for `, if anything, and what the block holds.
fn impls<'a>(source: &'a str, item: &'a str) -> impl Iterator<Item = (Option<&'a str>, &'a str)> {
    source.split("\nimpl").skip(1).filter_map(move |block| {
        let (head, body) = block.split_once(" {\n")?;
        let (of, this) = head.split_once(" for ").map_or((None, head), |(of, this)| (Some(of), this));
        let this_one = match of {
            Some(_) => name(this) == item,
            None => this.split(' ').any(|word| name(word) == item),
        };
        this_one.then(|| (of, body.split("\n}").next().unwrap_or_default()))
    })
}

/// The block with a `forward` that belongs to no trait.
fn own_forward<'a>(source: &'a str, item: &'a str) -> Option<&'a str> {
    let mut inherent = impls(source, item).filter(|(of, _)| of.is_none()).map(|(_, body)| body);
    inherent.find(|body| body.contains("pub fn forward"))
}

/// Whether a type is a layer or an initialiser, or has a `forward` of its own.
fn is_called(source: &str, item: &str) -> bool {
    let named = |of: &str| of.contains(" Layer<") || of.contains(" Init<");
    impls(source, item).any(|(of, _)| of.is_some_and(named)) || own_forward(source, item).is_some()
}

#[test]
fn every_layer_loss_and_initialiser_has_its_source_and_an_example() {
    let (mut seen, mut wanting) = (0, Vec::new());
    for path in sources() {
        let source = fs::read_to_string(&path).unwrap();
        for (item, doc) in documented(&source) {
            seen += 1;
            let mut want = |what: &str| wanting.push(format!("{}: {item}: no {what}", path.display()));
            if !doc.contains("```\n") || !doc.contains("assert") {
                want("example that asserts something");
            }
            if !doc.contains("[PyTorch](https://docs.pytorch.org/docs/stable/") {
                want("link to PyTorch");
            }
            let at_forward = own_forward(&source, item).is_some_and(|body| body.contains("# Errors"));
            let said = doc.contains("# Errors") || at_forward || path.ends_with("init.rs");
            if !said && !NEVER_FAIL.contains(&item) {
                want("errors");
            }
        }
    }
    assert!(wanting.is_empty(), "{}", wanting.join("\n"));
    assert!(seen > 80, "only {seen} were found: does this test still read what is written?");
}

#[test]
fn what_is_not_documented_is_found() {
    let source = "/// Nothing.\npub struct Layerless;\n\n/// y = x.\n#[derive(Clone)]\npub struct Wire<T>(T);\n\n\
                  impl<T: Float> Layer<T> for Wire<T> {\n}\n\nrows! {\n    /// y = −x.\n    Minus: |x| x.neg();\n}\n";
    let found = documented(source);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [("Minus", " y = −x.\n".into()), ("Wire", " y = x.\n".into())]
    );
}
