//! Adam and AdamW.

use std::collections::HashMap;

use retrograd_autograd::{Gradients, ParamId};
use retrograd_tensor::{Float, Result, Tensor};

use super::{Optimizer, Setting, check, walk};
use crate::Module;

/// What both keep: the settings, and for each parameter the running means and how many steps they are made of.
#[derive(Clone, Debug)]
struct Moments<T: Float> {
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    state: HashMap<ParamId, (i32, Tensor<T>, Tensor<T>)>,
}

/// How weight decay enters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decay {
    /// As part of the gradient.
    Gradient,
    /// Apart from it, p ← p − lr·decay·p.
    Decoupled,
}

impl<T: Float> Moments<T> {
    #[track_caller]
    fn step(
        &mut self,
        op: &'static str,
        decay: Decay,
        model: &mut impl Module<T>,
        gradients: &Gradients<T>,
    ) -> Result<()> {
        let Self { learning_rate, betas: (beta1, beta2), eps, weight_decay, .. } = *self;
        check(op, "a learning rate", learning_rate, Setting::NonNegative)?;
        check(op, "a first beta", beta1, Setting::Share)?;
        check(op, "a second beta", beta2, Setting::Share)?;
        check(op, "an epsilon", eps, Setting::NonNegative)?;
        check(op, "a weight decay", weight_decay, Setting::NonNegative)?;
        let [b1, b2, fresh1, fresh2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
        let (in_gradient, shrink) = match decay {
            Decay::Gradient => (weight_decay, 1.0),
            Decay::Decoupled => (0.0, 1.0 - learning_rate * weight_decay),
        };
        let [in_gradient, shrink, eps] = [in_gradient, shrink, eps].map(T::from_f64);
        walk(op, model, gradients, |parameter, gradient| {
            let fresh = || (0, gradient.zeros_like(), gradient.zeros_like());
            let (steps, mean, square) = self.state.entry(parameter.id()).or_insert_with(fresh);
            *steps += 1;
            let rate = T::from_f64(learning_rate / (1.0 - beta1.powi(*steps)));
            let root = T::from_f64((1.0 - beta2.powi(*steps)).sqrt());
            parameter.value_mut().update_with(
                [mean, square],
                gradient,
                #[inline(always)]
                |p, [m, v], g| {
                    let g = g + in_gradient * p;
                    let m = b1 * m + fresh1 * g;
                    let v = b2 * v + fresh2 * (g * g);
                    (shrink * p - rate * (m / (v.sqrt() / root + eps)), [m, v])
                },
            )
        })
    }
}

macro_rules! adam {
    ($($(#[$doc:meta])* $Type:ident $name:literal $decay:expr, $weight_decay:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Type<T: Float = f32>(Moments<T>);

        impl<T: Float> $Type<T> {
            /// With PyTorch's other settings: betas 0.9 and 0.999, epsilon 10⁻⁸.
            pub fn new(learning_rate: f64) -> Self {
                Self(Moments {
                    learning_rate,
                    betas: (0.9, 0.999),
                    eps: 1e-8,
                    weight_decay: $weight_decay,
                    state: HashMap::new(),
                })
            }

            /// How much of the running means of the gradient and of its square is kept in a step.
            pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
                self.0.betas = (beta1, beta2);
                self
            }

            /// What is added to the root of the mean square.
            pub fn eps(mut self, eps: f64) -> Self {
                self.0.eps = eps;
                self
            }

            #[doc = concat!("How much a parameter is drawn to zero; ", stringify!($weight_decay), " by default.")]
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.0.weight_decay = weight_decay;
                self
            }
        }

        impl<T: Float> Optimizer<T> for $Type<T> {
            #[track_caller]
            fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
                self.0.step($name, $decay, model, gradients)
            }

            fn learning_rate(&self) -> f64 {
                self.0.learning_rate
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.learning_rate = learning_rate;
            }
        }
    )*};
}

adam! {
    /// Adam: g ← g + weight_decay·p; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
    /// p ← p − lr·m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html),
    /// [Kingma & Ba 2015](https://arxiv.org/abs/1412.6980)
    Adam "adam" Decay::Gradient, 0.0;

    /// AdamW: as [`Adam`], but the weight decay is apart from the gradient: p ← p − lr·weight_decay·p, then the
    /// step.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html),
    /// [Loshchilov & Hutter 2019](https://arxiv.org/abs/1711.05101)
    AdamW "adamw" Decay::Decoupled, 0.01;
}
