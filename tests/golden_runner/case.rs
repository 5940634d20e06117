//! A family of cases as it stands in its files: `<family>.json` and, if it has tensors,
//! `<family>.safetensors`.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use retrograd::data::{AnyTensor, TensorFile, read_tensors};
use retrograd::tensor::{Shape, Tensor};
use serde_json::Value;

use super::{Outcome, Stop};

pub(super) struct Family {
    pub(super) cases: Vec<Case>,
}

/// One case: what its row of the manifest says, and its tensors.
pub(super) struct Case {
    row: Value,
    directory: Rc<Path>,
    tensors: Rc<TensorFile>,
}

impl Family {
    /// # Panics
    /// If the files are not what the README says.
    pub(super) fn read(directory: &Path, name: &str) -> Self {
        let file = |extension| directory.join(name).with_extension(extension);
        let text =
            std::fs::read_to_string(file("json")).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let mut manifest: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let tensors = Rc::new(match file("safetensors") {
            path if path.exists() => tensors(&path),
            _ => TensorFile::default(),
        });
        let Value::Array(rows) = manifest["cases"].take() else { panic!("{name}.json has no cases") };
        let directory: Rc<Path> = directory.into();
        let case = |mut row: Value| {
            let tensors = filled(&mut row).map_or_else(|| Rc::clone(&tensors), Rc::new);
            Case { row, directory: Rc::clone(&directory), tensors }
        };
        Self { cases: rows.into_iter().map(case).collect() }
    }
}

/// The inputs of a row that describes them instead of naming tensors of a file: `{"x": {"shape": …, "value": …}}`.
/// The names take their place.
fn filled(row: &mut Value) -> Option<TensorFile> {
    let inputs = row["inputs"].as_object()?.clone();
    row["inputs"] = inputs.keys().cloned().collect();
    let name = row["name"].as_str().expect("a case has a name");
    let tensors =
        inputs.iter().map(|(input, described)| (format!("{name}/{input}"), described_by(described)));
    Some(TensorFile { tensors: tensors.collect(), ..TensorFile::default() })
}

/// A tensor of one value everywhere, or of the values listed.
fn described_by(described: &Value) -> AnyTensor {
    let shape: Shape = described["shape"].as_array().into_iter().flatten().map(extent).collect();
    let mut numbers = Vec::new();
    match &described["values"] {
        Value::Null => numbers.resize(shape.numel(), number(&described["value"]).expect("a number")),
        values => flatten(values, &mut numbers),
    }
    let tensor = Tensor::from_slice(&numbers, shape).expect("as many values as the shape has");
    match described["dtype"].as_str() {
        Some("float64") => AnyTensor::F64(tensor),
        Some("float32") => AnyTensor::F32(tensor.cast()),
        Some("int64") => AnyTensor::I64(tensor.map(|x| x as i64)),
        other => panic!("elements of type {other:?}"),
    }
}

fn extent(value: &Value) -> usize {
    value.as_u64().expect("an extent") as usize
}

fn flatten(values: &Value, into: &mut Vec<f64>) {
    match values {
        Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
        value => into.push(number(value).expect("a number")),
    }
}

/// A number; JSON has neither infinities nor NaN, which are written as strings.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

impl Case {
    pub(super) fn name(&self) -> &str {
        self.row["name"].as_str().expect("a case has a name")
    }

    pub(super) fn op(&self) -> &str {
        self.row["op"].as_str().expect("a case has an operation")
    }

    /// Whether the case is about what single precision cannot hold.
    pub(super) fn wants_double(&self) -> bool {
        ["large", "extreme", "kinks"].iter().any(|word| self.name().contains(word))
    }

    /// A field of the row; null if there is none.
    pub(super) fn field(&self, name: &str) -> &Value {
        &self.row[name]
    }

    /// The names in a field.
    pub(super) fn names(&self, field: &str) -> Vec<&str> {
        strings(&self.row[field])
    }

    /// A tensor of the case.
    pub(super) fn tensor(&self, name: &str) -> &AnyTensor {
        let name = format!("{}/{name}", self.name());
        self.tensors.get(&name).unwrap_or_else(|| panic!("the golden tensor {name} is missing"))
    }

    /// A tensor of the case that holds numbers.
    pub(super) fn numbers(&self, name: &str) -> Outcome<&Tensor<f64>> {
        match self.tensor(name) {
            AnyTensor::F64(tensor) => Ok(tensor),
            other => Err(Stop::unknown(format!("{name} of {} elements", other.element()))),
        }
    }

    /// The tensors of a file that the case names under `files`.
    pub(super) fn file(&self, name: &str) -> TensorFile {
        let file = self.row["files"][name].as_str().expect("the case names its files");
        tensors(&self.directory.join(file))
    }
}

/// The strings in an array.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn tensors(path: &PathBuf) -> TensorFile {
    read_tensors(path).unwrap_or_else(|error| panic!("{error}"))
}
