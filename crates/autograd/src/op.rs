//! What an operation is, and how the tape holds one.

use std::any::Any;

use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

use crate::profile::Clock;
use crate::{Tape, Var};

/// An operation on `N` inputs: its value, and the pullback of a cotangent to its inputs.
///
/// The pullback ("vjp", vector-Jacobian product) is written in [`Var`] operations, so that it can itself be
/// differentiated: that is where gradients of gradients come from. A user's own operation is this trait,
/// nothing else:
///
/// ```
/// use retrograd_autograd::{Op, Var, gradcheck, gradgradcheck};
/// use retrograd_tensor::{Float, Result, Tensor};
///
/// /// y = x³
/// struct Cube;
///
/// impl<T: Float> Op<T, 1> for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///     fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
///         Ok(x.map(|x| x * x * x))
///     }
///     fn vjp(&self, [x]: [&Var<T>; 1], _y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
///         Ok([Some(g * x * x * 3.0)])
///     }
/// }
///
/// let x = Tensor::from([1.0, -2.0, 0.5]);
/// gradcheck(|[x]| Cube.apply([x]), [x.clone()])?;
/// gradgradcheck(|[x]| Cube.apply([x]), [x])?;
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// An operation holds settings and tensors, never a [`Var`]: the tape holds the operation, a variable holds its
/// tape, and neither would ever be freed. Variables are inputs.
pub trait Op<T: Float, const N: usize>: Sized + 'static {
    /// The name that messages and drawings of the tape use.
    fn name(&self) -> &'static str;

    /// The operation's value. The same inputs must always give the same value: a block under
    /// [`checkpoint`](Var::checkpoint) is computed twice. What is drawn at random, the operation holds.
    ///
    /// # Errors
    /// If the inputs do not fit the operation or each other.
    #[track_caller]
    fn forward(&self, x: [&Tensor<T>; N]) -> Result<Tensor<T>>;

    /// The cotangents of the inputs that `wants` names, given the cotangent `g` of the output `y`: gᵢ =
    /// (∂y/∂xᵢ)ᵀ·g. Of inputs and output that [`reads`](Self::reads) does not name, only the shape may be
    /// looked at: their elements are gone, and reading them panics.
    ///
    /// A wanted cotangent must have its input's shape; one that is nothing is an error, so that no gradient is
    /// lost in silence.
    ///
    /// # Errors
    /// What the operations that it is made of return.
    fn vjp(&self, x: [&Var<T>; N], y: &Var<T>, g: &Var<T>, wants: [bool; N]) -> Result<[Option<Var<T>>; N]>;

    /// As [`vjp`](Self::vjp), given the cotangent for good: where nothing is recorded and nobody shares it, a
    /// result may be written over it.
    ///
    /// # Errors
    /// As [`vjp`](Self::vjp).
    fn vjp_owned(
        &self,
        x: [&Var<T>; N],
        y: &Var<T>,
        g: Var<T>,
        wants: [bool; N],
    ) -> Result<[Option<Var<T>>; N]> {
        self.vjp(x, y, &g, wants)
    }

    /// As [`vjp`](Self::vjp), to the last bit, where the operation is element-wise and all its inputs are single
    /// elements of one shape: there variables around the numbers cost more than the arithmetic. Values that
    /// [`reads`](Self::reads) does not name are NaN, and cotangents that nobody wants are not looked at.
    ///
    /// Nothing where the operation has no such form.
    fn vjp_element(&self, x: [T; N], y: T, g: T) -> Option<[T; N]> {
        let _ = (x, y, g);
        None
    }

    /// Which values [`vjp`](Self::vjp) reads to give the cotangents that `wants` names; the tape keeps no
    /// others. All of them, unless said otherwise.
    ///
    /// To name too many costs memory. To name too few makes the pullback panic where it reads a value that the tape
    /// did not keep; [`gradcheck`](crate::gradcheck) finds that out.
    fn reads(&self, wants: [bool; N]) -> Reads<N> {
        let _ = wants;
        Reads { inputs: [true; N], output: true }
    }

    /// Bytes of the tensors that the operation holds itself, a mask or an index, so that the tape can account
    /// for them and let go of the operation once a replay has passed it.
    fn held_bytes(&self) -> usize {
        0
    }

    /// How many multiplications with an addition the value takes, for tables of what a model costs; 0 where
    /// nobody counts them.
    fn multiply_adds(&self, x: [&Shape; N], y: &Shape) -> u64 {
        let _ = (x, y);
        0
    }

    /// Computes the value and, if an input is on a tape, records the operation there.
    ///
    /// # Errors
    /// What [`forward`](Self::forward) returns, and if an input's tape was cleared or two inputs are on two
    /// tapes. On a tape that [detects anomalies](Tape::detect_anomaly), the first of them.
    #[track_caller]
    fn apply(self, x: [&Var<T>; N]) -> Result<Var<T>> {
        sound(apply_unchecked(self, x)?)
    }

    /// As [`apply`](Self::apply), where the value is known already.
    ///
    /// # Errors
    /// If an input's tape was cleared or two inputs are on two tapes. On a tape that
    /// [detects anomalies](Tape::detect_anomaly), the first of them.
    #[track_caller]
    fn apply_to(self, x: [&Var<T>; N], y: Tensor<T>) -> Result<Var<T>> {
        let tape = common_tape(self.name(), &x)?;
        sound(record(tape, Fixed(self), &x, &mut x.map(Var::is_recorded), y))
    }
}

/// The values that the pullback of an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads<const N: usize> {
    /// Which of the inputs.
    pub inputs: [bool; N],
    /// Whether the output.
    pub output: bool,
}

impl<const N: usize> Reads<N> {
    /// Nothing but shapes.
    pub const NOTHING: Self = Self { inputs: [false; N], output: false };
    /// The output alone.
    pub const OUTPUT: Self = Self { inputs: [false; N], output: true };

    /// These inputs alone.
    pub const fn inputs(inputs: [bool; N]) -> Self {
        Self { inputs, output: false }
    }
}

/// An input of an operation that is being pulled back.
pub(crate) struct Operand<T: Float> {
    pub(crate) x: Var<T>,
    /// Its position, if its cotangent is wanted.
    pub(crate) wanted: Option<usize>,
}

/// Who is given the cotangents of an operation's inputs, and takes those that are wanted.
pub(crate) type Receiver<'a, T> = &'a mut dyn FnMut(&mut [Option<Var<T>>]) -> Result<()>;

/// An operation whose number of inputs the tape need not know.
pub(crate) trait AnyOp<T: Float>: Any {
    fn name(&self) -> &'static str;
    fn forward(&self, x: &[&Tensor<T>]) -> Result<Tensor<T>>;
    /// Gives the cotangents of the operands to `receiver`.
    fn vjp(&self, x: &[Operand<T>], y: &Var<T>, g: Var<T>, receiver: Receiver<'_, T>) -> Result<()>;
    /// Replaces single elements by their cotangents; whether the operation is element-wise.
    fn vjp_element(&self, _x: &mut [T], _y: T, _g: T) -> bool {
        false
    }
    fn held_bytes(&self) -> usize {
        0
    }
    fn multiply_adds(&self, _x: &[&Shape], _y: &Shape) -> u64 {
        0
    }
    /// Given which inputs want a cotangent, says in the same place which of them are read, and returns whether
    /// the output is.
    fn reads(&self, inputs: &mut [bool]) -> bool;
}

/// An [`Op`], its number of inputs forgotten.
pub(crate) struct Fixed<O, const N: usize>(pub(crate) O);

impl<T: Float, O: Op<T, N>, const N: usize> AnyOp<T> for Fixed<O, N> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn forward(&self, x: &[&Tensor<T>]) -> Result<Tensor<T>> {
        self.0.forward(std::array::from_fn(|i| x[i]))
    }

    fn vjp(&self, x: &[Operand<T>], y: &Var<T>, g: Var<T>, receiver: Receiver<'_, T>) -> Result<()> {
        let wants = std::array::from_fn(|i| x[i].wanted.is_some());
        // Where they are, because moving them costs more than looking at them.
        match &mut self.0.vjp_owned(std::array::from_fn(|i| &x[i].x), y, g, wants) {
            Ok(cotangents) => receiver(cotangents),
            Err(error) => Err(error.clone()),
        }
    }

    fn vjp_element(&self, x: &mut [T], y: T, g: T) -> bool {
        let cotangents = self.0.vjp_element(std::array::from_fn(|i| x[i]), y, g);
        if let Some(cotangents) = &cotangents {
            x.copy_from_slice(cotangents);
        }
        cotangents.is_some()
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    fn multiply_adds(&self, x: &[&Shape], y: &Shape) -> u64 {
        self.0.multiply_adds(std::array::from_fn(|i| x[i]), y)
    }

    fn reads(&self, inputs: &mut [bool]) -> bool {
        let reads = self.0.reads(std::array::from_fn(|i| inputs[i]));
        inputs.copy_from_slice(&reads.inputs);
        reads.output
    }
}

/// [`Op::apply`] for what must not fail where it need not: an anomaly is left for the next operation to report.
#[track_caller]
pub(crate) fn apply_unchecked<T: Float, O: Op<T, N>, const N: usize>(
    op: O,
    x: [&Var<T>; N],
) -> Result<Var<T>> {
    let tape = common_tape(op.name(), &x)?;
    let clock = Clock::start(tape);
    let y = op.forward(x.map(Var::value))?;
    clock.stop();
    Ok(record(tape, Fixed(op), &x, &mut x.map(Var::is_recorded), y))
}

/// The variable, unless its tape has found an anomaly.
#[track_caller]
pub(crate) fn sound<T: Float>(y: Var<T>) -> Result<Var<T>> {
    match y.tape() {
        Some(tape) => tape.check().map(|()| y),
        None => Ok(y),
    }
}

/// The tape that the inputs are on, if any.
#[inline]
#[track_caller]
pub(crate) fn common_tape<'a, T: Float>(op: &'static str, x: &[&'a Var<T>]) -> Result<Option<&'a Tape<T>>> {
    let mut common: Option<&Tape<T>> = None;
    for var in x {
        let Some(tape) = var.tape() else { continue };
        match common {
            Some(first) if !first.is(tape) => {
                return Err(Error::new(
                    op,
                    "two operands are on two different tapes; a computation lives on one",
                ));
            }
            _ => common = Some(tape),
        }
        if var.is_stale() {
            return Err(stale(op));
        }
    }
    Ok(common)
}

/// Whether a pullback of these may be computed from values alone.
pub(crate) fn nothing_recorded<T: Float, const N: usize>(vars: [&Var<T>; N]) -> bool {
    vars.iter().all(|var| var.tape().is_none())
}

#[track_caller]
pub(crate) fn stale(op: &'static str) -> Error {
    Error::new(op, "an operand was recorded before its tape was cleared; compute it again")
}

/// The value as a variable, recorded with its operation where an input is on a tape; `wants` says which inputs
/// are recorded.
#[inline]
#[track_caller]
pub(crate) fn record<T: Float, O: AnyOp<T>>(
    tape: Option<&Tape<T>>,
    op: O,
    x: &[&Var<T>],
    wants: &mut [bool],
    y: Tensor<T>,
) -> Var<T> {
    // A closure would lose the caller's line.
    let key = match tape {
        Some(tape) => tape.record(op, x, wants, &y),
        None => None,
    };
    Var::new(y, tape.cloned(), key)
}
