//! The summary of a model: what each layer makes, and what it costs.
//!
//! The model is run once on zeros, and the tape is read. Operations that one call recorded, one after the
//! other, are one row, unless they use the parameters of two layers.

use std::collections::HashMap;
use std::fmt;

use retrograd_autograd::{ParamId, Recorded, Tape};
use retrograd_tensor::{Float, Result, Shape, Tensor};

use crate::Layer;

/// A table of a model's layers. Its text is the table, with totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The layers, in the order they were computed.
    pub rows: Vec<SummaryRow>,
}

/// A layer, or an operation that belongs to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// The path of the layer whose parameters it uses; empty if it uses none.
    pub path: String,
    /// The operations.
    pub operations: Vec<&'static str>,
    /// The shape of the result.
    pub output: Shape,
    /// How many numbers its parameters have; one that several layers share counts for the first.
    pub parameters: usize,
    /// Multiplications with an addition, of products of matrices and convolutions.
    pub multiply_adds: u64,
    /// Bytes of the values that it makes.
    pub activation_bytes: usize,
}

impl Summary {
    /// How many numbers the parameters have.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.parameters).sum()
    }

    /// Multiplications with an addition of a forward pass.
    pub fn multiply_adds(&self) -> u64 {
        self.rows.iter().map(|row| row.multiply_adds).sum()
    }

    /// Bytes of all values of a forward pass.
    pub fn activation_bytes(&self) -> usize {
        self.rows.iter().map(|row| row.activation_bytes).sum()
    }
}

/// The table of a model's layers for an input of shape `input`, in evaluation: output shapes, parameters
/// (frozen ones too), multiply-adds, bytes of activations.
///
/// ```
/// # use retrograd_nn::{Conv2d, Flatten, Linear, ReLU, sequential, summary};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let model = sequential![
///     Conv2d::new(1, 4, 3).build(rng)?,
///     ReLU,
///     Flatten::default(),
///     Linear::new(4 * 6 * 6, 10).build(rng)?,
/// ];
/// let table = summary(&model, [1, 1, 8, 8])?;
/// assert_eq!((table.rows[0].path.as_str(), table.rows[0].multiply_adds), ("0", 9 * 4 * 6 * 6));
/// println!("{table}");
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What the model's forward pass returns, and if there is no tensor of that shape.
#[track_caller]
pub fn summary<T: Float, L: Layer<T> + ?Sized>(model: &L, input: impl Into<Shape>) -> Result<Summary> {
    let tape = Tape::new().eval().thawed();
    model.forward(&tape.leaf(Tensor::<T>::zeros(input)?))?;
    let mut parameters: HashMap<ParamId, (String, usize)> = HashMap::new();
    for (path, parameter) in model.parameters() {
        parameters.insert(parameter.id(), (path, parameter.value().numel()));
    }
    let mut rows: Vec<SummaryRow> = Vec::new();
    let mut line = None;
    for recorded in tape.recorded().iter().filter(|recorded| !recorded.prepares) {
        let row = SummaryRow::of(recorded, &mut parameters, size_of::<T>());
        match rows.last_mut() {
            Some(last) if line == Some(recorded.at) && last.goes_on_with(&row) => last.append(row),
            _ => rows.push(row),
        }
        line = Some(recorded.at);
    }
    Ok(Summary { rows })
}

impl SummaryRow {
    /// The row of one operation; parameters that it uses first are taken out of the count of those to come.
    fn of(recorded: &Recorded, parameters: &mut HashMap<ParamId, (String, usize)>, element: usize) -> Self {
        let (mut path, mut count) = (String::new(), 0);
        for id in &recorded.parameters {
            if let Some((full, numel)) = parameters.get_mut(id) {
                path = full.rsplit_once('.').map_or("", |(layer, _)| layer).to_string();
                count += std::mem::take(numel);
            }
        }
        // A reshape shares the elements of its operand.
        let made = if recorded.op == "reshape" { 0 } else { recorded.shape.numel() };
        Self {
            path,
            operations: vec![recorded.op],
            output: recorded.shape.clone(),
            parameters: count,
            multiply_adds: recorded.multiply_adds,
            activation_bytes: made.saturating_mul(element),
        }
    }

    fn goes_on_with(&self, next: &Self) -> bool {
        self.path.is_empty() || next.path.is_empty() || self.path == next.path
    }

    fn append(&mut self, next: Self) {
        if self.path.is_empty() {
            self.path = next.path;
        }
        self.operations.extend(next.operations);
        self.output = next.output;
        self.parameters += next.parameters;
        self.multiply_adds += next.multiply_adds;
        self.activation_bytes += next.activation_bytes;
    }

    /// As in the table: path, and the operations without repetitions.
    fn name(&self) -> String {
        let mut operations = self.operations.clone();
        operations.dedup();
        match self.path.as_str() {
            "" => operations.join(", "),
            path => format!("{path}: {}", operations.join(", ")),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table =
            vec![["layer", "output", "parameters", "multiply-adds", "activations"].map(String::from)];
        table.extend(self.rows.iter().map(|row| {
            [
                row.name(),
                row.output.to_string(),
                thousands(row.parameters as u64),
                thousands(row.multiply_adds),
                bytes(row.activation_bytes),
            ]
        }));
        table.push([
            "total".into(),
            String::new(),
            thousands(self.parameters() as u64),
            thousands(self.multiply_adds()),
            bytes(self.activation_bytes()),
        ]);
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d, e] = std::array::from_fn(width);
        for [layer, output, parameters, multiply_adds, activations] in &table {
            writeln!(f, "{layer:a$}  {output:b$}  {parameters:>c$}  {multiply_adds:>d$}  {activations:>e$}")?;
        }
        Ok(())
    }
}

/// `117,600`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
