//! Doubtful configurations: what PyTorch refuses is an error here, and what it accepts is accepted with the same
//! shapes. A row that differs on purpose stands in the table of `docs/pytorch.md`, with the reason; one that
//! differs and does not stand there fails, and so does one that stands there and agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd::tensor::{Shape, Tensor};
use serde_json::Value;

use super::call::Call;
use super::case::{Case, Family};
use super::operations::compute;
use super::values::Output;
use super::{Directory, Outcome, Stop, init, lr_scheduler, optim, panicked};

/// Where the rows that differ on purpose are listed.
const LIST: &str = include_str!("../../docs/pytorch.md");
/// The heading above the table.
const HEADING: &str = "## Doubtful configurations";

impl Directory {
    /// Runs every row of a catalogue of doubtful configurations.
    ///
    /// # Panics
    /// If a row differs and is not listed, or is listed and does not differ.
    pub(crate) fn check_refusals(&self, name: &str) {
        if !self.path.join(name).with_extension("json").exists() {
            assert!(!self.own, "{name}.json is missing in {}", self.path.display());
            return println!("{name}: not in {}", self.path.display());
        }
        let report = Report::of(&Family::read(&self.path, name), listed(), self.own);
        print!("{report}");
        assert!(report.failed.is_empty(), "configurations that PyTorch judges otherwise:\n{report}");
    }
}

/// The results of a configuration that is accepted: their shapes, and whether they hold NaN.
pub(super) struct Accepted {
    pub(super) shapes: Vec<Shape>,
    pub(super) nan: bool,
}

impl Accepted {
    fn of(results: &[Tensor<f64>]) -> Self {
        let shapes = results.iter().map(|result| result.shape().clone()).collect();
        Self { shapes, nan: results.iter().flat_map(|result| result.as_slice()).any(|x| x.is_nan()) }
    }
}

/// What a row of the catalogue and Retrograd's verdict come to.
enum Comparison {
    Agrees,
    Differs(String),
    Fails(String),
}

/// A kind of row: an operation and what is doubtful about it.
type Kind = (String, String);

#[derive(Default)]
struct Report {
    agreeing: usize,
    listed: BTreeMap<Kind, usize>,
    failed: Vec<String>,
}

impl Report {
    fn of(family: &Family, mut listed: BTreeSet<Kind>, complete: bool) -> Self {
        let mut report = Self::default();
        for case in &family.cases {
            let kind = (case.op().to_owned(), case.field("what").as_str().unwrap_or_default().to_owned());
            let comparison = catch_unwind(AssertUnwindSafe(|| compare(case)))
                .unwrap_or_else(|panic| Comparison::Fails(panicked(panic.as_ref())));
            match comparison {
                Comparison::Agrees => report.agreeing += 1,
                Comparison::Differs(_) if listed.contains(&kind) => {
                    *report.listed.entry(kind).or_default() += 1;
                }
                Comparison::Differs(fact) | Comparison::Fails(fact) => {
                    report.failed.push(format!("{} ({}): {fact}", case.name(), kind.1));
                }
            }
        }
        listed.retain(|kind| complete && !report.listed.contains_key(kind));
        let stale = listed.into_iter().map(|(op, what)| format!("listed, but agrees: {op}, {what}"));
        report.failed.extend(stale);
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: usize = self.listed.values().sum();
        writeln!(f, "refusals: {} agree, {listed} listed, {} failed", self.agreeing, self.failed.len())?;
        self.failed.iter().try_for_each(|failure| writeln!(f, "    {failure}"))?;
        self.listed
            .iter()
            .try_for_each(|((op, what), count)| writeln!(f, "    listed: {count} × {op}, {what}"))
    }
}

fn compare(case: &Case) -> Comparison {
    let torch = case.field("torch");
    let refused = torch["raises"] == Value::Bool(true);
    match judge(case) {
        Err(Stop::Unknown(reason)) => Comparison::Fails(format!("unknown: {reason}")),
        Err(Stop::Failed(text)) if !text.contains(", at tests/golden_runner/") => {
            Comparison::Fails(format!("the error names no line of its caller: {text}"))
        }
        Err(Stop::Failed(text)) if !refused => Comparison::Differs(format!("refused: {text}")),
        Err(Stop::Inexpressible(what)) if !refused => {
            Comparison::Differs(format!("cannot be written: {what}"))
        }
        Err(Stop::Failed(_) | Stop::Inexpressible(_)) => Comparison::Agrees,
        Ok(_) if refused => Comparison::Differs(format!(
            "accepted; PyTorch refuses: {}",
            torch["message"].as_str().unwrap_or("")
        )),
        Ok(verdict) => match difference(&verdict, torch) {
            Some(fact) => Comparison::Differs(fact),
            None => Comparison::Agrees,
        },
    }
}

/// How the results differ from PyTorch's, if they do.
fn difference(verdict: &Accepted, torch: &Value) -> Option<String> {
    let (mut found, mut expected) = (verdict.shapes.clone(), shapes(&torch["outputs"]));
    let nan = torch["nan"] == Value::Bool(true);
    // The manifest lists results by name, and so in no order.
    found.sort_by(|a, b| a[..].cmp(&b[..]));
    expected.sort_by(|a, b| a[..].cmp(&b[..]));
    if found != expected {
        return Some(format!("gave shapes {found:?}, not {expected:?}"));
    }
    (verdict.nan != nan).then(|| format!("NaN among the results: {}, with PyTorch {nan}", verdict.nan))
}

/// Computes a configuration forward and backward.
fn judge(case: &Case) -> Outcome<Accepted> {
    let call = Call::<f64>::new(case);
    match call.op() {
        "optimizer" => return Ok(Accepted::of(&optim::attempt(&call)?)),
        "lr_scheduler" => return Ok(Accepted { shapes: lr_scheduler::attempt(&call)?, nan: false }),
        "init" | "calculate_gain" => return Ok(Accepted { shapes: init::attempt(&call)?, nan: false }),
        _ => {}
    }
    let outputs = compute(&call)?;
    call.all_taken()?;
    for output in &outputs {
        if let Output::Var(y) = output
            && y.is_recorded()
        {
            y.sum(..)?.backward()?;
        }
    }
    let numbers = outputs.iter().filter_map(|output| match output {
        Output::Var(y) => Some(y),
        Output::Index(_) => None,
    });
    let nan = numbers.flat_map(|y| y.value().as_slice()).any(|y| y.is_nan());
    let shapes = outputs.iter().map(|output| match output {
        Output::Var(y) => y.shape().clone(),
        Output::Index(index) => index.shape().clone(),
    });
    Ok(Accepted { shapes: shapes.collect(), nan })
}

/// The shapes of PyTorch's results.
fn shapes(outputs: &Value) -> Vec<Shape> {
    let extents = |shape: &Value| -> Shape {
        let extents = shape.as_array().into_iter().flatten().map(|x| x.as_u64().expect("an extent") as usize);
        extents.collect()
    };
    outputs.as_object().into_iter().flatten().map(|(_, shape)| extents(shape)).collect()
}

/// The kinds of rows in the table of the document: an operation in backticks, what is doubtful.
fn listed() -> BTreeSet<Kind> {
    let (_, section) = LIST.split_once(HEADING).expect("docs/pytorch.md has the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut kinds = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let operations = cells[0].split(',').map(|name| name.trim().trim_matches('`'));
        kinds.extend(operations.map(|name| (name.to_owned(), cells[1].to_owned())));
    }
    assert!(!kinds.is_empty(), "no row can be read below {HEADING}");
    kinds
}
