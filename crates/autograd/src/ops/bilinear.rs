//! The bilinear form with a matrix for each output.

use retrograd_tensor::{Error, Float, Result};

use crate::Var;

impl<T: Float> Var<T> {
    /// yₖ = x₁ᵀ·Aₖ·x₂ + bₖ for `self` x₁ `[…, in₁]`, `other` x₂ `[…, in₂]`, `weight` A `[out, in₁, in₂]` and
    /// `bias` `[out]`; the leading axes are the same.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.bilinear.html)
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn bilinear(&self, other: &Var<T>, weight: &Var<T>, bias: Option<&Var<T>>) -> Result<Var<T>> {
        let fits = match (&self.shape()[..], &other.shape()[..], &weight.shape()[..]) {
            ([leading @ .., a], [others @ .., b], [out, in1, in2]) => {
                leading == others
                    && a == in1
                    && b == in2
                    && bias.is_none_or(|bias| bias.shape()[..] == [*out])
            }
            _ => false,
        };
        if !fits {
            let bias = bias.map_or(String::new(), |bias| format!(" and bias {}", bias.shape()));
            let fact = format!(
                "expected x₁ […, in₁], x₂ […, in₂], weight [out, in₁, in₂], bias [out], found {}, {}, weight {}{bias}",
                self.shape(),
                other.shape(),
                weight.shape()
            );
            return Err(Error::new("bilinear", fact));
        }
        let mut shape = self.shape().clone();
        let (last, out) = (shape.len() - 1, weight.shape()[0]);
        shape[last] = out;
        let rows = shape[..last].iter().product();
        let [x1, x2] = [self, other].map(|x| x.reshaped([1, rows, x.shape()[last]].into()));
        let y = x1?.matmul(weight)?.mul(&x2?)?.sum(-1)?.transpose(0, 1)?;
        let y = match bias {
            Some(bias) => y.add(bias)?,
            None => y,
        };
        y.reshaped(shape)
    }
}
