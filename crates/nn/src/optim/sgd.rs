//! Stochastic gradient descent.

use std::collections::HashMap;

use retrograd_autograd::{Gradients, ParamId};
use retrograd_tensor::{Error, Float, Result, Tensor};

use super::{Optimizer, Setting, check, walk};
use crate::Module;

/// Stochastic gradient descent with momentum.
///
/// g ← g + weight_decay·p; v ← momentum·v + (1 − dampening)·g, v = g in the first step; p ← p − lr·v, with
/// Nesterov's momentum p ← p − lr·(g + momentum·v).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html)
///
/// ```
/// # use retrograd_nn::Sgd;
/// let mut optimizer: Sgd = Sgd::new(0.01).momentum(0.9).nesterov(true).weight_decay(5e-4);
/// ```
#[derive(Clone, Debug)]
pub struct Sgd<T: Float = f32> {
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    velocity: HashMap<ParamId, Tensor<T>>,
}

impl<T: Float> Sgd<T> {
    /// Plain descent at this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            velocity: HashMap::new(),
        }
    }

    /// How much of the last step's velocity is kept; 0 by default.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// How much of a gradient is left out of the velocity, but for the first step; 0 by default.
    pub fn dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// How much of a parameter is added to its gradient; 0 by default.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether a step looks ahead by one velocity; it does not by default.
    pub fn nesterov(self, nesterov: bool) -> Self {
        Self { nesterov, ..self }
    }

    #[track_caller]
    fn check_settings(&self) -> Result<()> {
        check("sgd", "a learning rate", self.learning_rate, Setting::NonNegative)?;
        check("sgd", "a momentum", self.momentum, Setting::NonNegative)?;
        check("sgd", "a dampening", self.dampening, Setting::Any)?;
        check("sgd", "a weight decay", self.weight_decay, Setting::NonNegative)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let fact = format!(
                "Nesterov's momentum wants a momentum and no dampening, found {} and {}",
                self.momentum, self.dampening
            );
            return Err(Error::new("sgd", fact));
        }
        Ok(())
    }
}

impl<T: Float> Optimizer<T> for Sgd<T> {
    #[track_caller]
    fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
        self.check_settings()?;
        let [rate, momentum, decay] = [self.learning_rate, self.momentum, self.weight_decay].map(T::from_f64);
        let fresh = T::from_f64(1.0 - self.dampening);
        let nesterov = self.nesterov;
        walk("sgd", model, gradients, |parameter, gradient| {
            if momentum == T::ZERO {
                return parameter.value_mut().update(
                    gradient,
                    #[inline(always)]
                    |p, g| p - rate * (g + decay * p),
                );
            }
            let id = parameter.id();
            let value = parameter.value_mut();
            let mut step = |velocity: &mut Tensor<T>, kept: T, fresh: T| {
                value.update_with(
                    [velocity],
                    gradient,
                    #[inline(always)]
                    |p, [v], g| {
                        let g = g + decay * p;
                        let v = kept * v + fresh * g;
                        let direction = if nesterov { g + momentum * v } else { v };
                        (p - rate * direction, [v])
                    },
                )
            };
            match self.velocity.get_mut(&id) {
                Some(velocity) => step(velocity, momentum, fresh),
                None => {
                    let mut velocity = gradient.zeros_like();
                    step(&mut velocity, T::ZERO, T::ONE)?;
                    self.velocity.insert(id, velocity);
                    Ok(())
                }
            }
        })
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }
}
