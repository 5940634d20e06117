//! Looking into a replay: the gradient of an intermediate variable, and hooks on its way.

use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::Var;
use crate::op::{Op, Reads};

impl<T: Float> Var<T> {
    /// Asks for the gradient with respect to this variable as well, which need not be a leaf: after
    /// [`backward`](Self::backward), [`Gradients::wrt`](crate::Gradients::wrt) has it.
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let x = Tape::new().leaf(Tensor::scalar(3.0f32));
    /// let y = x.square();
    /// y.retain()?;
    /// let gradients = y.square().backward()?;
    /// assert_eq!(gradients.wrt(&y), Some(&Tensor::scalar(18.0)));
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the variable is not recorded, or was recorded before its tape was cleared.
    #[track_caller]
    pub fn retain(&self) -> Result<()> {
        let (Some(tape), Some(key)) = (self.tape(), self.key()) else {
            return Err(Error::new("retain", "the variable is not recorded, so that no gradient reaches it"));
        };
        if self.is_stale() {
            return Err(crate::op::stale("retain"));
        }
        let retained = &mut tape.nodes_mut().retained;
        if !retained.contains(&key) {
            retained.push(key);
        }
        Ok(())
    }

    /// The same value, whose gradient goes through `hook` on its way back: what the hook returns, of the same
    /// shape, is handed on. Where the gradient is to be differentiated, so is the hook.
    ///
    /// A hook must own no variable of its tape, which it would keep from ever being freed.
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let x = Tape::new().leaf(Tensor::from([1.0f32, -5.0]));
    /// let y = x.hook(|g| Ok(g.clamp(-1.0, 1.0)))?.square().sum(..)?;
    /// assert_eq!(y.backward()?.wrt(&x), Some(&Tensor::from([1.0, -1.0])));
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the variable was recorded before its tape was cleared. The replay fails with what the hook returns,
    /// and if it returns another shape.
    #[track_caller]
    pub fn hook(&self, hook: impl Fn(&Var<T>) -> Result<Var<T>> + 'static) -> Result<Var<T>> {
        Hook(hook).apply_to([self], self.value().clone())
    }
}

/// The identity, with a pullback of the user's.
struct Hook<F>(F);

impl<T: Float, F: Fn(&Var<T>) -> Result<Var<T>> + 'static> Op<T, 1> for Hook<F> {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        Ok(x.clone())
    }

    fn vjp(&self, _: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some((self.0)(g)?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::NOTHING
    }
}
