//! What all optimizers share: groups of parameters, their settings, the state kept for each parameter, counting
//! steps, saving and loading. An optimizer of its own is a [`Rule`]: its settings and its formula.

use std::collections::HashMap;
use std::iter::once;

use retrograd_autograd::{Gradients, ParamId, Parameter};
use retrograd_tensor::{Error, Float, Result, Tensor};

use super::{Optimizer, Setting, check, walk};
use crate::Module;
use crate::module::repetitions;
use crate::pattern::matches;

/// The formula of an optimizer, with its settings.
///
/// The learning rate, the weight decay and the sign (of [`maximize`](Descent::maximize)) are not among them:
/// the gradient and the parameter that a formula sees have had their decay.
///
/// ```
/// # use retrograd_nn::{Result, Tensor, optim::{Descent, Rule, Step}, Float};
/// /// p ← p − lr·m with m ← (m + g)/2.
/// #[derive(Clone, Debug)]
/// struct Halving;
///
/// impl Rule for Halving {
///     const NAME: &'static str = "halving";
///
///     fn slots(&self) -> &'static [&'static str] {
///         &["mean"]
///     }
///
///     fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
///         let (rate, half) = (T::from_f64(step.learning_rate), T::from_f64(0.5));
///         step.apply(move |p, [m], g| {
///             let m = half * (m + g);
///             (p - rate * m, [m])
///         })
///     }
/// }
///
/// let optimizer: Descent<Halving> = Descent::by(Halving, 0.1).weight_decay(1e-4);
/// ```
pub trait Rule: Clone {
    /// The optimizer's name in messages.
    const NAME: &'static str;

    /// Checks the settings.
    ///
    /// # Errors
    /// If one is out of its range.
    #[track_caller]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The names of the tensors that are kept for a parameter; PyTorch's, where it has the optimizer.
    fn slots(&self) -> &'static [&'static str];

    /// What a slot of `parameter` begins as; zeros, unless said otherwise.
    fn fresh<T: Float>(&self, slot: &str, parameter: &Tensor<T>) -> Tensor<T> {
        let _ = slot;
        parameter.zeros_like()
    }

    /// Whether weight decay acts on the parameter, p ← p − lr·weight_decay·p, rather than through the
    /// gradient, g ← g + weight_decay·p.
    fn decouples_decay(&self) -> bool {
        false
    }

    /// How much of the running mean of the gradients is kept in a step: a momentum or a first beta.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Sets what [`momentum`](Self::momentum) tells.
    fn set_momentum(&mut self, momentum: f64) {
        let _ = momentum;
    }

    /// Makes a step of one parameter, by [`Step::apply`].
    ///
    /// # Errors
    /// Those of [`Step::apply`].
    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()>;
}

/// One step of one parameter.
pub struct Step<'a, T: Float> {
    /// How far it goes.
    pub learning_rate: f64,
    /// Which of the steps of this parameter it is, from 1.
    pub number: u64,
    /// The tensors kept for the parameter, in the order of [`Rule::slots`].
    pub state: &'a mut [Tensor<T>],
    parameter: &'a mut Tensor<T>,
    gradient: &'a Tensor<T>,
    /// g ← sign·g + decay·p.
    sign: T,
    decay: T,
    /// p ← keep·p.
    keep: T,
}

impl<T: Float> Step<'_, T> {
    /// 1 − βⁿ in the n-th step: the sum of the weights in a running mean that began as 0.
    pub fn weight(&self, beta: f64) -> f64 {
        1.0 - beta.powi(i32::try_from(self.number).unwrap_or(i32::MAX))
    }

    /// Replaces every element p of the parameter, and the elements s of its first `N` slots, by what `f`(p,
    /// s, g) returns; in one pass over memory.
    ///
    /// # Errors
    /// If the rule has fewer slots, or a slot has another shape than the parameter.
    pub fn apply<const N: usize>(self, f: impl Fn(T, [T; N], T) -> (T, [T; N]) + Sync + Copy) -> Result<()> {
        let Self { state, parameter, gradient, sign, decay, keep, .. } = self;
        let slots = state.len();
        let Some((state, _)) = state.split_first_chunk_mut::<N>() else {
            return Err(Error::new("update", format!("expected {N} slots, found {slots}")));
        };
        // The everyday step has a loop of its own: on small models the updates are a third of a training step.
        if keep == T::ONE && sign == T::ONE {
            return parameter.update_with(
                state.each_mut(),
                gradient,
                #[inline(always)]
                move |p, s, g| f(p, s, g + decay * p),
            );
        }
        parameter.update_with(
            state.each_mut(),
            gradient,
            #[inline(always)]
            move |p, s, g| f(keep * p, s, sign * g + decay * p),
        )
    }
}

/// The settings of a group of parameters.
#[derive(Clone, Debug)]
pub struct Group<R> {
    learning_rate: f64,
    weight_decay: f64,
    maximize: bool,
    pub(super) rule: R,
}

impl<R: Rule> Group<R> {
    /// How far a step goes.
    pub fn learning_rate(self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self }
    }

    /// How much a parameter is drawn to zero.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether steps go uphill.
    pub fn maximize(self, maximize: bool) -> Self {
        Self { maximize, ..self }
    }

    #[track_caller]
    fn check(&self) -> Result<()> {
        check(R::NAME, "a learning rate", self.learning_rate, Setting::NonNegative)?;
        check(R::NAME, "a weight decay", self.weight_decay, Setting::NonNegative)?;
        self.rule.check()
    }

    fn update<T: Float>(
        &self,
        state: &mut State<T>,
        parameter: &mut Parameter<T>,
        gradient: &Tensor<T>,
    ) -> Result<()> {
        let (decay, keep) = match self.rule.decouples_decay() {
            true => (0.0, 1.0 - self.learning_rate * self.weight_decay),
            false => (self.weight_decay, 1.0),
        };
        let sign = if self.maximize { -1.0 } else { 1.0 };
        let [sign, decay, keep] = [sign, decay, keep].map(T::from_f64);
        let parameter = parameter.value_mut();
        state.prepare(&self.rule, parameter);
        state.steps += 1;
        self.rule.update(Step {
            learning_rate: self.learning_rate,
            number: state.steps,
            state: &mut state.slots,
            parameter,
            gradient,
            sign,
            decay,
            keep,
        })
    }
}

/// What is kept for a parameter.
#[derive(Clone, Debug)]
struct State<T: Float> {
    /// Which group it is in: 0 is none, then they count from 1.
    group: usize,
    steps: u64,
    slots: Vec<Tensor<T>>,
}

impl<T: Float> State<T> {
    fn new(group: usize) -> Self {
        Self { group, steps: 0, slots: Vec::new() }
    }

    /// Begins anew where the rule wants other slots than there are: at first, or where a momentum was turned
    /// on.
    fn prepare(&mut self, rule: &impl Rule, parameter: &Tensor<T>) {
        let slots = rule.slots();
        if self.slots.len() != slots.len() {
            self.steps = 0;
            self.slots = slots.iter().map(|slot| rule.fresh(slot, parameter)).collect();
        }
    }
}

/// An optimizer that follows a [`Rule`]: [`Sgd`](crate::Sgd), [`Adam`](crate::Adam) and the others.
///
/// Its settings are checked when it steps. The state of a parameter goes by the parameter's identity, so that
/// parameters may join and leave.
#[derive(Clone, Debug)]
pub struct Descent<R, T: Float = f32> {
    /// The settings of the parameters that are in no group.
    pub(super) base: Group<R>,
    /// The groups, each with the pattern of its paths.
    groups: Vec<(String, Group<R>)>,
    state: HashMap<ParamId, State<T>>,
}

impl<R: Rule, T: Float> Descent<R, T> {
    /// By this rule, at this learning rate.
    pub fn by(rule: R, learning_rate: f64) -> Self {
        let base = Group { learning_rate, weight_decay: 0.0, maximize: false, rule };
        Self { base, groups: Vec::new(), state: HashMap::new() }
    }

    /// How much a parameter is drawn to zero; 0 by default, 0.01 for [`AdamW`](crate::AdamW).
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.base.weight_decay = weight_decay;
        self
    }

    /// Whether steps go uphill; they do not by default.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.base.maximize = maximize;
        self
    }

    /// Gives the parameters whose paths match `pattern` settings of their own; `*` stands for any text. A
    /// parameter belongs to the first group that it matches.
    ///
    /// `change` gets the settings made so far, so that what is common to all comes before the groups.
    ///
    /// ```
    /// # use retrograd_nn::Sgd;
    /// let optimizer: Sgd = Sgd::new(0.1)
    ///     .momentum(0.9)
    ///     .weight_decay(5e-4)
    ///     .group("*.bias", |group| group.weight_decay(0.0).learning_rate(0.2));
    /// ```
    pub fn group(mut self, pattern: impl Into<String>, change: impl FnOnce(Group<R>) -> Group<R>) -> Self {
        self.groups.push((pattern.into(), change(self.base.clone())));
        self
    }

    /// What is kept for the parameters of `model`, named as `conv1.weight.exp_avg`; `conv1.weight.step` is
    /// how many steps it has made. Settings are not included.
    ///
    /// Beside the model's own state this is what a training needs to go on with the same bits, if nothing in it
    /// is drawn at random. Dropout and its like draw from the tape, whose random numbers are not saved: give each
    /// epoch a seed of its own, [`tape.reseed(seed + epoch)`](retrograd_autograd::Tape::reseed), or new
    /// [`Shards::seeded(n, seed + epoch)`](retrograd_autograd::Shards::seeded), and resume where an epoch begins.
    pub fn state_dict(&self, model: &impl Module<T>) -> Vec<(String, Tensor<T>)> {
        let mut saved = Vec::new();
        for (path, parameter) in model.parameters() {
            let Some(state) = self.state.get(&parameter.id()) else { continue };
            let slots = self.settings(state.group).rule.slots();
            saved.push((format!("{path}.step"), Tensor::scalar(T::from_f64(state.steps as f64))));
            let tensors = slots.iter().zip(&state.slots);
            saved.extend(tensors.map(|(slot, tensor)| (format!("{path}.{slot}"), tensor.clone())));
        }
        saved
    }

    /// Replaces what is kept for the parameters of `model` by what [`state_dict`](Self::state_dict) gave, of an
    /// optimizer with the same settings. A parameter that has made no step in `saved` begins anew.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, there twice or of another shape, a count of steps is none, or a group is
    /// empty; the optimizer is unchanged then.
    #[track_caller]
    pub fn load_state_dict(&mut self, model: &impl Module<T>, saved: &[(String, Tensor<T>)]) -> Result<()> {
        let parameters = model.parameters();
        self.check_groups(&parameters)?;
        let repeated = repetitions(saved);
        let mut saved: HashMap<&str, &Tensor<T>> = saved.iter().map(|(name, x)| (&**name, x)).collect();
        let mut wrong = Vec::new();
        let mut loaded = Vec::new();
        for (path, parameter) in &parameters {
            let Some(steps) = saved.remove(&*format!("{path}.step")) else { continue };
            let mut state = State::new(self.group_of(path));
            let rule = &self.settings(state.group).rule;
            state.prepare(rule, parameter.value());
            match steps.item().map(T::to_f64) {
                Ok(steps) if steps >= 0.0 && steps.fract() == 0.0 => state.steps = steps as u64,
                _ => wrong.push(format!("`{path}.step` is no count of steps")),
            }
            for (slot, own) in rule.slots().iter().zip(&mut state.slots) {
                match saved.remove(&*format!("{path}.{slot}")) {
                    Some(tensor) if tensor.shape() == own.shape() => *own = tensor.clone(),
                    Some(tensor) => {
                        wrong.push(format!(
                            "`{path}.{slot}` has shape {}, not {}",
                            tensor.shape(),
                            own.shape()
                        ));
                    }
                    None => wrong.push(format!("`{path}.{slot}` {} is missing", own.shape())),
                }
            }
            loaded.push((parameter.id(), state));
        }
        let mut unknown: Vec<_> = saved.into_keys().collect();
        unknown.sort_unstable();
        wrong.extend(unknown.iter().map(|name| format!("there is no `{name}`")));
        wrong.extend(repeated);
        if !wrong.is_empty() {
            return Err(Error::new(R::NAME, wrong.join("; ")));
        }
        for (_, parameter) in parameters {
            self.state.remove(&parameter.id());
        }
        self.state.extend(loaded);
        Ok(())
    }

    fn settings(&self, group: usize) -> &Group<R> {
        group_at(&self.base, &self.groups, group)
    }

    fn group_of(&self, path: &str) -> usize {
        group_of(&self.groups, path)
    }

    /// Checks that there are parameters, and some for every group.
    #[track_caller]
    fn check_groups(&self, parameters: &[(String, &Parameter<T>)]) -> Result<()> {
        if parameters.is_empty() {
            return Err(Error::new(R::NAME, "the model has no parameters"));
        }
        let found: Vec<usize> = parameters.iter().map(|(path, _)| self.group_of(path)).collect();
        for (group, (pattern, _)) in (1..).zip(&self.groups) {
            if !found.contains(&group) {
                let fact = format!("the model has no parameters for the group `{pattern}`");
                return Err(Error::new(R::NAME, fact));
            }
        }
        Ok(())
    }
}

/// The settings of the group of this number.
fn group_at<'a, R>(base: &'a Group<R>, groups: &'a [(String, Group<R>)], number: usize) -> &'a Group<R> {
    number.checked_sub(1).and_then(|i| groups.get(i)).map_or(base, |(_, group)| group)
}

/// The number of the group that a path is in.
fn group_of<R>(groups: &[(String, Group<R>)], path: &str) -> usize {
    groups.iter().position(|(pattern, _)| matches(pattern, path)).map_or(0, |i| i + 1)
}

impl<R: Rule, T: Float> Optimizer<T> for Descent<R, T> {
    #[track_caller]
    fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
        self.base.check()?;
        for (pattern, group) in &self.groups {
            group.check().map_err(|error| error.within(pattern))?;
        }
        if self.state.is_empty() {
            self.check_groups(&model.parameters())?;
        }
        let Self { base, groups, state } = self;
        walk(R::NAME, model, gradients, |path, parameter, gradient| {
            let fresh =
                || State::new(if groups.is_empty() { 0 } else { group_of(groups, &path.to_string()) });
            let state = state.entry(parameter.id()).or_insert_with(fresh);
            group_at(base, groups, state.group).update(state, parameter, gradient)
        })
    }

    fn learning_rates(&self) -> Vec<f64> {
        once(&self.base).chain(self.groups.iter().map(|(_, group)| group)).map(|g| g.learning_rate).collect()
    }

    #[track_caller]
    fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
        let expected = 1 + self.groups.len();
        if rates.len() != expected {
            let fact = format!("expected {expected} learning rates, found {}", rates.len());
            return Err(Error::new(R::NAME, fact));
        }
        let groups = once(&mut self.base).chain(self.groups.iter_mut().map(|(_, group)| group));
        groups.zip(rates).for_each(|(group, &rate)| group.learning_rate = rate);
        Ok(())
    }

    fn momentum(&self) -> Option<f64> {
        self.base.rule.momentum()
    }

    fn set_momentum(&mut self, momentum: f64) {
        let groups = once(&mut self.base).chain(self.groups.iter_mut().map(|(_, group)| group));
        groups.for_each(|group| group.rule.set_momentum(momentum));
    }

    fn learning_rate(&self) -> f64 {
        self.base.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.base.learning_rate = learning_rate;
    }
}

/// The setters of a rule's settings, for an optimizer and for a group of it: field, arguments.
macro_rules! settings {
    ($Rule:ident $(<const $C:ident: bool>)? {
        $($(#[$doc:meta])* $field:ident($($argument:ident: $Type:ty),+);)*
    }) => {
        impl<$(const $C: bool,)? T: retrograd_tensor::Float> $crate::optim::Descent<$Rule$(<$C>)?, T> {
            $(
                $(#[$doc])*
                pub fn $field(mut self, $($argument: $Type),+) -> Self {
                    self.base.rule.$field = ($($argument),+);
                    self
                }
            )*
        }

        impl$(<const $C: bool>)? $crate::optim::Group<$Rule$(<$C>)?> {
            $(
                $(#[$doc])*
                pub fn $field(mut self, $($argument: $Type),+) -> Self {
                    self.rule.$field = ($($argument),+);
                    self
                }
            )*
        }
    };
}

pub(super) use settings;
