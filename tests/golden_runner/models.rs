//! Training runs: the first batch, the loss before each step, and the weights in the end.

use std::collections::BTreeMap;

use retrograd::autograd::{Tape, Var};
use retrograd::data::{AnyTensor, TensorFile};
use retrograd::nn::{
    AvgPool2d, BatchNorm2d, Conv2d, Layer, Linear, MaxPool2d, Optimizer, ReLU, Sequential, module,
};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::{Float, Result, Tensor};

use super::call::Call;
use super::case::Case;
use super::compare::Tolerance;
use super::optim::AnyOptimizer;
use super::{Outcome, Stop};

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    match case.field("model").as_str() {
        Some("lenet5") => Run::<T>::new(case)?.check(LeNet5::new()?),
        Some("vgg_bn") => Run::<T>::new(case)?.check(Vgg::new()?),
        other => Err(Stop::unknown(format!("no model {}", other.unwrap_or("without a name")))),
    }
}

struct LeNet5<T: Float> {
    conv1: Conv2d<T>,
    conv2: Conv2d<T>,
    fc1: Linear<T>,
    fc2: Linear<T>,
    fc3: Linear<T>,
}

module!(LeNet5<T> { conv1, conv2, fc1, fc2, fc3 });

impl<T: Float> LeNet5<T> {
    fn new() -> Result<Self> {
        let rng = &mut StdRng::seed_from_u64(0);
        Ok(Self {
            conv1: Conv2d::new(1, 6, 5).padding(2).build(rng)?,
            conv2: Conv2d::new(6, 16, 5).build(rng)?,
            fc1: Linear::new(400, 120).build(rng)?,
            fc2: Linear::new(120, 84).build(rng)?,
            fc3: Linear::new(84, 10).build(rng)?,
        })
    }
}

impl<T: Float> Layer<T> for LeNet5<T> {
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let x = self.conv1.forward(x)?.tanh().avg_pool2d(2)?;
        let x = self.conv2.forward(&x)?.tanh().avg_pool2d(2)?;
        let x = self.fc1.forward(&x.flatten(1)?)?.tanh();
        let x = self.fc2.forward(&x)?.tanh();
        self.fc3.forward(&x)
    }
}

/// Three times convolution, batch normalisation, rectifier and pooling, then two linear layers.
struct Vgg<T: Float> {
    features: Sequential<T>,
    classifier: Sequential<T>,
}

module!(Vgg<T> { features, classifier });

impl<T: Float> Vgg<T> {
    fn new() -> Result<Self> {
        let rng = &mut StdRng::seed_from_u64(0);
        let mut features = Sequential::new();
        for [inputs, outputs] in [[1, 8], [8, 16], [16, 24]] {
            features = features
                .then(Conv2d::new(inputs, outputs, 3).padding(1).build(rng)?)
                .then(BatchNorm2d::new(outputs)?)
                .then(ReLU)
                .then(MaxPool2d::new(2));
        }
        let classifier = Sequential::new()
            .then(Linear::new(96, 32).build(rng)?)
            .then(ReLU)
            .then(Linear::new(32, 10).build(rng)?);
        Ok(Self { features, classifier })
    }
}

impl<T: Float> Layer<T> for Vgg<T> {
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        // The adaptive average of 3 to 2 positions: windows of 2 that overlap.
        let x = AvgPool2d::new(2).stride(1).forward(&self.features.forward(x)?)?;
        self.classifier.forward(&x.flatten(1)?)
    }
}

/// A run as PyTorch made it.
struct Run<'a, T: Float> {
    case: &'a Case,
    optimizer: AnyOptimizer<T>,
    images: Tensor<T>,
    labels: Tensor<i64>,
    steps: usize,
    /// How many images a batch has, and how many batches there are.
    batch: usize,
    batches: usize,
}

impl<'a, T: Float> Run<'a, T> {
    fn new(case: &'a Case) -> Outcome<Self> {
        let call = Call::<T>::new(case);
        call.only("loss", "cross_entropy, mean")?;
        let optimizer = AnyOptimizer::new(call.argument("optimizer"), call.argument("options"), &[])?;
        let [steps, batch, batches] = ["steps", "batch", "batches"].map(|name| call.extent(name));
        let (steps, batch, batches) = (steps?, batch?, batches?);
        call.all_taken()?;
        let data = case.file("data");
        let (Some(AnyTensor::F64(images)), Some(AnyTensor::I64(labels))) = (data.get("x"), data.get("y"))
        else {
            panic!("the data of {} are images and labels", case.name());
        };
        Ok(Self { case, optimizer, images: images.cast(), labels: labels.clone(), steps, batch, batches })
    }

    fn check(mut self, mut model: impl Layer<T>) -> Outcome {
        let state: Vec<_> =
            numbers(&self.case.file("initial")).map(|(name, x)| (name.into(), x.cast())).collect();
        model.load_state_dict(&state)?;
        self.check_first_batch(&model)?;
        let tape = Tape::new();
        for (step, expected) in self.losses().into_iter().enumerate() {
            tape.clear();
            let (images, labels) = self.batch(step % self.batches)?;
            let loss = model.forward(&tape.constant(images))?.cross_entropy(&labels)?;
            self.compare_loss(&format!("loss {step}"), &loss, expected)?;
            self.optimizer.step(&mut model, &loss.backward()?)?;
        }
        self.check_end(&model)
    }

    fn check_first_batch(&self, model: &impl Layer<T>) -> Outcome {
        let (file, tolerance) = (self.case.file("first_batch"), Tolerance::of::<T>(self.case));
        let mut expected: BTreeMap<&str, Tensor<f64>> = numbers(&file).collect();
        let mut compare = |name: &str, found: &Tensor<T>| match expected.remove(name) {
            Some(expected) => tolerance.compare(name, found, &expected),
            None => Ok(()),
        };
        let (images, labels) = self.batch(0)?;
        compare("logits_eval", &model.predict(&images)?)?;
        let logits = model.forward(&Tape::new().constant(images))?;
        compare("logits_train", logits.value())?;
        let gradients = logits.cross_entropy(&labels)?.backward()?;
        for (name, parameter) in model.parameters() {
            let found =
                gradients.get(parameter).ok_or_else(|| Stop::Failed(format!("no gradient of {name}")))?;
            compare(&format!("grad.{name}"), found)?;
            let norm = Tensor::scalar(found.map(|x| x * x).sum(..)?.item()?.sqrt());
            let expected = self.case.field("first_batch_grad_norms")[&name].as_f64().expect("a norm");
            tolerance.compare(&format!("norm of grad.{name}"), &norm, &Tensor::scalar(expected))?;
        }
        assert!(expected.is_empty(), "of the first batch {expected:?} was not compared");
        Ok(())
    }

    fn check_end(&self, model: &impl Layer<T>) -> Outcome {
        let logits = Var::from(model.predict(&self.images)?);
        let expected = self.case.field("eval_loss_after").as_f64().expect("a loss");
        let rounding = &self.case.field("rounding");
        let loss = logits.cross_entropy(&self.labels)?;
        // A bias before a normalisation has no gradient but rounding, of which Adam makes whole steps, and the
        // running mean lags behind it: in single precision the loss is known to 10⁻³.
        let adrift = rounding["loose_keys"].as_object().is_some_and(|keys| !keys.is_empty());
        let tolerance = match T::NAME {
            "f32" if adrift => Tolerance { relative: 0.0, absolute: 1e-3 },
            _ => self.within(rounding["losses_abs"].as_f64().expect("a number")),
        };
        tolerance.compare("loss after training", loss.value(), &Tensor::scalar(expected))?;
        let (state, file) = (model.state_dict(), self.case.file("final"));
        for (name, expected) in numbers(&file) {
            let (_, found) =
                state.iter().find(|(other, _)| other == name).expect("the state has been loaded");
            let own = rounding["loose_keys"][name].as_f64();
            let allowed = own.or(rounding["final_weights_abs"].as_f64()).expect("a number");
            self.within(allowed).compare(&format!("{name} after training"), found, &expected)?;
        }
        Ok(())
    }

    fn batch(&self, i: usize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let (first, end) = ((i * self.batch) as isize, ((i + 1) * self.batch) as isize);
        Ok((self.images.slice(&[(first..end).into()])?, self.labels.slice(&[(first..end).into()])?))
    }

    /// The losses before each step.
    fn losses(&self) -> Vec<f64> {
        let losses = self.case.field("losses").as_array().expect("a case lists its losses");
        assert_eq!(losses.len(), self.steps, "losses of {}", self.case.name());
        losses.iter().map(|loss| loss.as_f64().expect("a number")).collect()
    }

    fn compare_loss(&self, name: &str, found: &Var<T>, expected: f64) -> Outcome {
        let rounding = self.case.field("rounding")["losses_abs"].as_f64().expect("a number");
        self.within(rounding).compare(name, found.value(), &Tensor::scalar(expected))
    }

    /// What rounding may grow to; `rounding` is what a relative disturbance of 1e-15 in the initial weights
    /// grew to. In double precision a thousand times that is allowed, in single precision a hundred times what
    /// its own rounding, some 1e-7, grows to in proportion.
    fn within(&self, rounding: f64) -> Tolerance {
        let usual = Tolerance::of::<T>(self.case);
        match T::NAME {
            "f64" => Tolerance { relative: 0.0, absolute: f64::max(1e-9, 1000.0 * rounding) },
            _ => Tolerance { absolute: usual.absolute.max(100.0 * 1e-7 / 1e-15 * rounding), ..usual },
        }
    }
}

/// The tensors of a file; what counts (batches) as numbers like the others.
fn numbers(file: &TensorFile) -> impl Iterator<Item = (&str, Tensor<f64>)> {
    file.tensors.iter().map(|(name, tensor)| {
        let tensor = match tensor {
            AnyTensor::F32(tensor) => tensor.cast(),
            AnyTensor::F64(tensor) => tensor.clone(),
            AnyTensor::I64(tensor) => tensor.map(|count| count as f64),
        };
        (name.as_str(), tensor)
    })
}
