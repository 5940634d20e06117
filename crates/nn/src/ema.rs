//! A moving average of a model's weights.

use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::module::repetitions;
use crate::optim::{Setting, check};
use crate::{Item, ItemMut, Module, Path};

/// The exponential moving average of the parameters of a model: a ← decay·a + (1 − decay)·p, a = p at first.
///
/// Buffers are those of the model at the last update, or averaged as well with [`buffers`](Self::buffers).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html)
///
/// ```
/// # use retrograd_nn::{Ema, Parameter, Tensor};
/// let mut model: Parameter = Parameter::new(Tensor::from([1.0]));
/// let mut ema = Ema::new(0.75);
/// ema.update(&model)?; // after each step of the optimizer
/// *model.value_mut() = Tensor::from([5.0]);
/// ema.update(&model)?;
/// ema.swap(&mut model)?; // evaluate with the averages …
/// assert_eq!(model.value(), &Tensor::from([2.0]));
/// ema.swap(&mut model)?; // … and go on with the weights
/// assert_eq!(model.value(), &Tensor::from([5.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ema<T: Float = f32> {
    decay: f64,
    warmup: bool,
    buffers: bool,
    updates: u64,
    averages: Vec<(String, Tensor<T>)>,
}

impl<T: Float> Ema<T> {
    /// Keeps this much of the average in an update, from 0 to 1.
    pub fn new(decay: f64) -> Self {
        Self { decay, warmup: false, buffers: false, updates: 0, averages: Vec::new() }
    }

    /// Whether the decay is at most (1 + n)/(10 + n) after n updates, so that the first weights are soon
    /// forgotten; it is not by default.
    pub fn warmup(self, warmup: bool) -> Self {
        Self { warmup, ..self }
    }

    /// Whether buffers are averaged, too (PyTorch's `use_buffers`); they are not by default.
    pub fn buffers(self, buffers: bool) -> Self {
        Self { buffers, ..self }
    }

    /// Takes in the model as it is now.
    ///
    /// # Errors
    /// If the decay is not from 0 to 1, or the model has other paths or shapes than it had; the averages are
    /// unchanged then.
    #[track_caller]
    pub fn update(&mut self, model: &impl Module<T>) -> Result<()> {
        check("ema", "a decay", self.decay, Setting::ClosedShare)?;
        if self.updates == 0 {
            self.averages = model.state_dict();
            self.updates = 1;
            return Ok(());
        }
        self.fits(model)?;
        let n = self.updates as f64;
        let decay = if self.warmup { self.decay.min((1.0 + n) / (10.0 + n)) } else { self.decay };
        let fresh = T::from_f64(1.0 - decay);
        let (averages_buffers, mut averages) = (self.buffers, self.averages.iter_mut());
        let mut outcome = Ok(());
        model.visit(&Path::ROOT, &mut |_, item| {
            let Some((_, average)) = averages.next() else { return };
            let copied = matches!(item, Item::Buffer(_)) && !averages_buffers;
            let updated = match copied {
                true => {
                    *average = item.value().clone();
                    Ok(())
                }
                false => average.update(
                    item.value(),
                    #[inline(always)]
                    |a, p| a + fresh * (p - a),
                ),
            };
            if outcome.is_ok() {
                outcome = updated;
            }
        });
        self.updates += 1;
        outcome
    }

    /// Replaces the model's parameters and buffers by their averages.
    ///
    /// # Errors
    /// If the model has other paths or shapes than that of the updates; it is unchanged then.
    #[track_caller]
    pub fn apply_to(&self, model: &mut impl Module<T>) -> Result<()> {
        model.load_state_dict(&self.averages)
    }

    /// Exchanges the model's parameters and buffers and their averages; a second time, they are back.
    ///
    /// # Errors
    /// If the model has other paths or shapes than that of the updates; nothing is changed then.
    #[track_caller]
    pub fn swap(&mut self, model: &mut impl Module<T>) -> Result<()> {
        self.fits(model)?;
        let mut averages = self.averages.iter_mut();
        model.visit_mut(&Path::ROOT, &mut |_, item: ItemMut<'_, T>| {
            if let Some((_, average)) = averages.next() {
                std::mem::swap(average, item.value_mut());
            }
        });
        Ok(())
    }

    /// The averages under their paths, and `n_averaged`, how many updates there were.
    pub fn state_dict(&self) -> Vec<(String, Tensor<T>)> {
        let mut saved = self.averages.clone();
        saved.push((COUNT.into(), Tensor::scalar(T::from_f64(self.updates as f64))));
        saved
    }

    /// Goes on from what [`state_dict`](Self::state_dict) gave, for this model.
    ///
    /// # Errors
    /// If a path is missing, unknown or there twice, a shape differs, or the count is none; the averages are unchanged then.
    #[track_caller]
    pub fn load_state_dict(&mut self, model: &impl Module<T>, saved: &[(String, Tensor<T>)]) -> Result<()> {
        if let Some(repeated) = repetitions(saved).next() {
            return Err(Error::new("ema", repeated));
        }
        let find =
            |name: &str| saved.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.clone());
        let count = find(COUNT).and_then(|count| count.item().ok()).map(T::to_f64);
        let Some(updates) = count.filter(|count| *count >= 0.0 && count.fract() == 0.0) else {
            return Err(Error::new("ema", format!("expected a count under `{COUNT}`")));
        };
        let mut averages = Vec::new();
        for (path, _) in model.state_dict() {
            averages.extend(find(&path).map(|average| (path, average)));
        }
        let loaded = Self { updates: updates as u64, averages, ..self.clone() };
        // Before the first update there are no averages.
        if loaded.updates > 0 {
            loaded.fits(model)?;
        }
        if saved.len() != loaded.averages.len() + 1 {
            let fact = format!("expected {} averages, found {}", loaded.averages.len(), saved.len() - 1);
            return Err(Error::new("ema", fact));
        }
        *self = loaded;
        Ok(())
    }

    #[track_caller]
    fn fits(&self, model: &impl Module<T>) -> Result<()> {
        let state = model.state_dict();
        let own = self.averages.iter().map(|(path, average)| (path, average.shape()));
        if own.eq(state.iter().map(|(path, value)| (path, value.shape()))) {
            return Ok(());
        }
        Err(Error::new("ema", "expected the model that was averaged: another has other paths or shapes"))
    }
}

/// The name of the count of updates.
const COUNT: &str = "n_averaged";
