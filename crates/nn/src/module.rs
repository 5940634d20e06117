//! Modules: what holds parameters, and how they are found by path.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;

use rand::Rng;
use retrograd_autograd::{Buffer, ParamId, Parameter, Update};
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

use crate::init::Init;
use crate::pattern::matches;

/// Something that holds parameters and buffers: a layer, a model, a parameter itself.
///
/// [`module!`](crate::module) implements it for a struct whose fields are modules. The paths are PyTorch's:
/// `conv1.weight`, `features.3.bias`.
pub trait Module<T: Float = f32> {
    /// Calls `see` with the path of each parameter and buffer, in the order of declaration.
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>));

    /// As [`visit`](Self::visit), to change them.
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>));

    /// The parameters with their paths, in the order of declaration.
    fn parameters(&self) -> Vec<(String, &Parameter<T>)> {
        let mut parameters = Vec::new();
        self.visit(&Path::ROOT, &mut |path, item| {
            if let Item::Parameter(parameter) = item {
                parameters.push((path.to_string(), parameter));
            }
        });
        parameters
    }

    /// How many numbers are trained.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().filter(|(_, p)| !p.is_frozen()).map(|(_, p)| p.value().numel()).sum()
    }

    /// The path of the parameter with this identity: of the layer, say, where a tape found an
    /// [anomaly](retrograd_autograd::Anomaly).
    fn path_of(&self, id: ParamId) -> Option<String> {
        self.parameters().into_iter().find(|(_, parameter)| parameter.id() == id).map(|(path, _)| path)
    }

    /// Every parameter and buffer with its path, in the order of declaration: what a file of the model holds.
    fn state_dict(&self) -> Vec<(String, Tensor<T>)> {
        let mut state = Vec::new();
        self.visit(&Path::ROOT, &mut |path, item| state.push((path.to_string(), item.value().clone())));
        state
    }

    /// Replaces every parameter and buffer by the tensor of that path in `state`.
    ///
    /// # Errors
    /// If a path is missing, unknown or there twice, or a shape differs; the model is unchanged then.
    #[track_caller]
    fn load_state_dict(&mut self, state: &[(String, Tensor<T>)]) -> Result<()> {
        check_state(&self.state_dict(), state)?;
        self.visit_mut(&Path::ROOT, &mut |path, item| {
            let path = path.to_string();
            if let Some((_, tensor)) = state.iter().find(|(name, _)| *name == path) {
                *item.value_mut() = tensor.clone();
            }
        });
        Ok(())
    }

    /// Makes the changes of buffers that a forward pass reported, without an optimizer: those of
    /// [`take_updates`](retrograd_autograd::Tape::take_updates) where nothing is trained and only running
    /// statistics are to be found again, or those of
    /// [`Gradients::updates`](retrograd_autograd::Gradients::updates).
    ///
    /// # Errors
    /// If a value has another shape than its buffer; the model is unchanged then.
    #[track_caller]
    fn update_buffers(&mut self, updates: &[Update<T>]) -> Result<()> {
        let mut misfit = None;
        self.visit(&Path::ROOT, &mut |path, item| {
            let Item::Buffer(buffer) = item else { return };
            let own = updates.iter().filter(|update| update.buffer == buffer.id());
            let values = own.filter_map(|update| update.change.value());
            let shape = buffer.value().shape();
            if let Some(value) = values.into_iter().find(|value| value.shape() != shape) {
                misfit = Some((path.to_string(), format!("expected shape {shape}, found {}", value.shape())));
            }
        });
        if let Some((path, fact)) = misfit {
            return Err(Error::new("update_buffers", fact).within(path));
        }
        let mut outcome = Ok(());
        self.visit_mut(&Path::ROOT, &mut |_, item| {
            if let (ItemMut::Buffer(buffer), Ok(())) = (item, &outcome) {
                outcome = buffer.apply(updates);
            }
        });
        outcome
    }

    /// Draws new values for the parameters whose paths match `pattern`, in which `*` stands for any text:
    /// `model.initialize("*.weight", &XavierNormal::default(), rng)?`.
    ///
    /// # Errors
    /// If no path matches, or the initialiser is not defined for a shape; the model is unchanged then.
    #[track_caller]
    fn initialize(&mut self, pattern: &str, init: &dyn Init<T>, rng: &mut dyn Rng) -> Result<()> {
        // A call of a trait object does not hand on its line.
        let line = Location::caller();
        let mut drawn = Vec::new();
        for (path, parameter) in self.parameters() {
            if matches(pattern, &path) {
                let value = init.sample(parameter.value().shape(), rng);
                drawn.push((parameter.id(), value.map_err(|error| error.called_from(line).within(&path))?));
            }
        }
        if drawn.is_empty() {
            return Err(Error::new("initialize", format!("the model has no parameters `{pattern}`")));
        }
        self.visit_mut(&Path::ROOT, &mut |_, item| {
            if let ItemMut::Parameter(parameter) = item
                && let Some((_, value)) = drawn.iter().find(|(id, _)| *id == parameter.id())
            {
                *parameter.value_mut() = value.clone();
            }
        });
        Ok(())
    }

    /// Stops training every parameter of this module.
    fn freeze(&mut self) {
        self.visit_mut(&Path::ROOT, &mut |_, item| {
            if let ItemMut::Parameter(parameter) = item {
                parameter.freeze();
            }
        });
    }

    /// Trains every parameter of this module again.
    fn unfreeze(&mut self) {
        self.visit_mut(&Path::ROOT, &mut |_, item| {
            if let ItemMut::Parameter(parameter) = item {
                parameter.unfreeze();
            }
        });
    }
}

/// Checks that `found` has the names and shapes of `own`, no more and no fewer; all that is wrong is listed.
#[track_caller]
fn check_state<T: Float>(own: &[(String, Tensor<T>)], found: &[(String, Tensor<T>)]) -> Result<()> {
    let shape_in = |state: &[(String, Tensor<T>)], name: &str| -> Option<Shape> {
        state.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.shape().clone())
    };
    let mut wrong = Vec::new();
    for (name, tensor) in own {
        match shape_in(found, name) {
            None => wrong.push(format!("`{name}` {} is missing", tensor.shape())),
            Some(shape) if shape != *tensor.shape() => {
                wrong.push(format!("`{name}` has shape {shape}, not {}", tensor.shape()));
            }
            Some(_) => {}
        }
    }
    for (name, tensor) in found.iter().filter(|(name, _)| shape_in(own, name).is_none()) {
        wrong.push(format!("the model has no `{name}` {}", tensor.shape()));
    }
    wrong.extend(repetitions(found));
    if wrong.is_empty() { Ok(()) } else { Err(Error::new("load_state_dict", wrong.join("; "))) }
}

/// What is wrong with a state in which names occur more than once: it would not be clear which tensor is meant.
pub(crate) fn repetitions<T: Float>(state: &[(String, Tensor<T>)]) -> impl Iterator<Item = String> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for (name, _) in state {
        if !seen.insert(name) {
            repeated.insert(name);
        }
    }
    repeated.into_iter().map(|name| format!("`{name}` occurs more than once"))
}

/// A parameter or a buffer.
#[derive(Debug)]
pub enum Item<'a, T: Float> {
    /// A parameter.
    Parameter(&'a Parameter<T>),
    /// A buffer.
    Buffer(&'a Buffer<T>),
}

impl<'a, T: Float> Item<'a, T> {
    /// The value.
    pub fn value(&self) -> &'a Tensor<T> {
        match self {
            Item::Parameter(parameter) => parameter.value(),
            Item::Buffer(buffer) => buffer.value(),
        }
    }
}

/// A parameter or a buffer, to be changed.
#[derive(Debug)]
pub enum ItemMut<'a, T: Float> {
    /// A parameter.
    Parameter(&'a mut Parameter<T>),
    /// A buffer.
    Buffer(&'a mut Buffer<T>),
}

impl<'a, T: Float> ItemMut<'a, T> {
    /// The value.
    pub fn value_mut(self) -> &'a mut Tensor<T> {
        match self {
            ItemMut::Parameter(parameter) => parameter.value_mut(),
            ItemMut::Buffer(buffer) => buffer.value_mut(),
        }
    }
}

/// Where in a model something is: `features.3.weight`. Made on the stack while visiting; nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl Path<'_> {
    /// The model itself.
    pub const ROOT: Path<'static> = Path { parent: None, segment: Segment::Root };

    /// The path of a field.
    pub fn field<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), segment: Segment::Field(name) }
    }

    /// The path of an element of a list.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), segment: Segment::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| !matches!(parent.segment, Segment::Root)) {
            write!(f, "{parent}.")?;
        }
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Field(name) => f.write_str(name),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

impl<T: Float> Module<T> for Parameter<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        see(path, Item::Parameter(self));
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        see(path, ItemMut::Parameter(self));
    }
}

impl<T: Float> Module<T> for Buffer<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        see(path, Item::Buffer(self));
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        see(path, ItemMut::Buffer(self));
    }
}

impl<T: Float, M: Module<T> + ?Sized> Module<T> for Box<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        (**self).visit(path, see);
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        (**self).visit_mut(path, see);
    }
}

/// What is not there has no parameters.
impl<T: Float, M: Module<T>> Module<T> for Option<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        if let Some(module) = self {
            module.visit(path, see);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        if let Some(module) = self {
            module.visit_mut(path, see);
        }
    }
}

/// Paths `0`, `1`, … as in PyTorch's `ModuleList`.
impl<T: Float, M: Module<T>> Module<T> for Vec<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        for (i, module) in self.iter().enumerate() {
            module.visit(&path.index(i), see);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        for (i, module) in self.iter_mut().enumerate() {
            module.visit_mut(&path.index(i), see);
        }
    }
}

/// Implements [`Module`] for a struct: the fields in braces are modules, visited in this order under their
/// names; those after `ignoring` hold no parameters. A forgotten field does not compile.
///
/// ```
/// # use retrograd_nn::{Linear, Module, module};
/// struct Mlp {
///     fc1: Linear,
///     fc2: Linear,
///     hidden: usize,
/// }
/// module!(Mlp { fc1, fc2 } ignoring { hidden });
/// ```
///
/// ```compile_fail,E0027
/// # use retrograd_nn::{Linear, Module, module};
/// struct Mlp {
///     fc1: Linear,
///     fc2: Linear,
/// }
/// module!(Mlp { fc1 }); // pattern does not mention field `fc2`
/// ```
///
/// A struct that is generic in its numbers says so, and further parameters stand after it: `module!(Net<T> { fc
/// })`, `module!(Conv<const D: usize; T> { weight, bias })`.
#[macro_export]
macro_rules! module {
    ($Type:ident { $($field:ident),* $(,)? } $(ignoring { $($other:ident),* $(,)? })?) => {
        impl $crate::Module<f32> for $Type {
            $crate::module!(@body f32, [$($field),*] [$($($other),*)?]);
        }
    };
    ($Type:ident<$T:ident> { $($field:ident),* $(,)? } $(ignoring { $($other:ident),* $(,)? })?) => {
        impl<$T: $crate::Float> $crate::Module<$T> for $Type<$T> {
            $crate::module!(@body $T, [$($field),*] [$($($other),*)?]);
        }
    };
    ($Type:ident<const $D:ident: usize; $T:ident> { $($field:ident),* $(,)? } $(ignoring { $($other:ident),* $(,)? })?) => {
        impl<const $D: usize, $T: $crate::Float> $crate::Module<$T> for $Type<$D, $T> {
            $crate::module!(@body $T, [$($field),*] [$($($other),*)?]);
        }
    };
    (@body $T:ty, [$($field:ident),*] [$($other:ident),*]) => {
        #[allow(unused_variables)]
        fn visit<'a>(
            &'a self,
            path: &$crate::Path<'_>,
            see: &mut dyn FnMut(&$crate::Path<'_>, $crate::Item<'a, $T>),
        ) {
            let Self { $($field,)* $($other: _,)* } = self;
            $($crate::Module::<$T>::visit($field, &path.field(stringify!($field)), see);)*
        }

        #[allow(unused_variables)]
        fn visit_mut<'a>(
            &'a mut self,
            path: &$crate::Path<'_>,
            see: &mut dyn FnMut(&$crate::Path<'_>, $crate::ItemMut<'a, $T>),
        ) {
            let Self { $($field,)* $($other: _,)* } = self;
            $($crate::Module::<$T>::visit_mut($field, &path.field(stringify!($field)), see);)*
        }
    };
}

/// Implements [`Module`] for a type that holds no parameters, for numbers of every type.
macro_rules! no_parameters {
    ($Type:ident $(<const $D:ident: usize>)?) => {
        impl<$(const $D: usize,)? T: retrograd_tensor::Float> $crate::Module<T> for $Type$(<$D>)? {
            fn visit<'a>(
                &'a self,
                _: &$crate::Path<'_>,
                _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Item<'a, T>),
            ) {
            }

            fn visit_mut<'a>(
                &'a mut self,
                _: &$crate::Path<'_>,
                _: &mut dyn FnMut(&$crate::Path<'_>, $crate::ItemMut<'a, T>),
            ) {
            }
        }
    };
}

pub(crate) use no_parameters;
