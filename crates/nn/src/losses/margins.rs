//! Losses that ask for a margin between distances or scores.

use retrograd_autograd::Var;
use retrograd_autograd::loss::Reduction;
use retrograd_tensor::{Error, Float, Result, Tensor};

/// Checks that all broadcast to one shape, and have as many axes as each other.
#[track_caller]
fn check_shapes<T: Float>(op: &'static str, operands: &[&Var<T>]) -> Result<()> {
    let mut joint = operands[0].shape().clone();
    for x in operands {
        if x.rank() != joint.rank() {
            let found: Vec<String> = operands.iter().map(|x| x.shape().to_string()).collect();
            let fact = format!("expected operands of as many axes as each other, found {}", found.join(", "));
            return Err(Error::new(op, fact));
        }
        joint = joint.broadcast(op, x.shape())?;
    }
    Ok(())
}

/// x where the mask is true, elsewhere 0.
#[track_caller]
fn or_zero<T: Float>(mask: &Tensor<bool>, x: &Var<T>) -> Result<Var<T>> {
    Var::where_(mask, x, &Var::from(Tensor::scalar(T::ZERO)))
}

/// max(0, x), whose slope at 0 is 1 in losses: of two that tie, neither is far enough from the other.
#[track_caller]
fn hinge<T: Float>(x: &Var<T>) -> Result<Var<T>> {
    or_zero(&x.value().map(|x| x >= T::ZERO || x.is_nan()), x)
}

/// x where the target is 1, and max(0, margin − x) where it is −1: x is a distance, which is to be small or
/// large.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html)
///
/// ```
/// # use retrograd_nn::{HingeEmbeddingLoss, Tensor, Var};
/// let [x, y] = [[0.5f32, 0.25], [1.0, -1.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(HingeEmbeddingLoss::default().forward(&x, &y)?.item()?, 0.625);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingLoss {
    /// How far apart is far enough.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// A margin of 1, the mean.
impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    /// The loss; `target` broadcasts with `input` and holds 1 or −1 (for any other number both terms count).
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        input.shape().broadcast("hinge_embedding_loss", target.shape())?;
        let far = hinge(&input.neg().shift(self.margin))?;
        let far = or_zero(&target.value().map(|y| y != T::ONE), &far)?;
        let near = or_zero(&target.value().map(|y| y != -T::ONE), input)?;
        self.reduction.of(&near.add(&far)?)
    }
}

/// max(0, −y·(x₁ − x₂) + margin): with target y = 1 the first score is to be the larger one, with −1 the
/// second.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MarginRankingLoss.html)
///
/// ```
/// # use retrograd_nn::{MarginRankingLoss, Tensor, Var};
/// let [a, b, y] = [[2.0f32, 2.0], [1.0, 1.0], [1.0, -1.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(MarginRankingLoss::default().forward(&a, &b, &y)?.item()?, 0.5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRankingLoss {
    /// By how much.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl MarginRankingLoss {
    /// The loss of three operands that broadcast and have as many axes as each other.
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward<T: Float>(&self, input1: &Var<T>, input2: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        check_shapes("margin_ranking_loss", &[input1, input2, target])?;
        self.reduction.of(&hinge(&input2.sub(input1)?.mul(target)?.shift(self.margin))?)
    }
}

/// 1 − cos(x₁, x₂) where the target is 1, and max(0, cos(x₁, x₂) − margin) where it is −1.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html)
///
/// ```
/// # use retrograd_nn::{CosineEmbeddingLoss, Tensor, Var};
/// let [a, b] = [[3.0f32, 4.0], [4.0, -3.0]].map(|values| Var::from(Tensor::from(values)));
/// let loss = CosineEmbeddingLoss::default().forward(&a, &b, &Var::from(Tensor::scalar(1.0)))?;
/// assert_eq!(loss.item()?, 1.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbeddingLoss {
    /// The cosine that dissimilar ones may have, from −1 to 1.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl CosineEmbeddingLoss {
    /// The loss of vectors `[n, d]` with a target `[n]`, or of `[d]` with a scalar; all broadcast. The target
    /// is 1 or −1 (any other number gives 0).
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward<T: Float>(&self, input1: &Var<T>, input2: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        let op = "cosine_embedding_loss";
        if ![1, 2].contains(&input1.rank()) || target.rank() + 1 != input1.rank() {
            let (x, target) = (input1.shape(), target.shape());
            let fact = format!(
                "expected vectors [n, d] and a target [n], or [d] and a scalar, found {x} and {target}"
            );
            return Err(Error::new(op, fact));
        }
        check_shapes(op, &[input1, input2, &target.unsqueeze(-1)?])?;
        // Vectors of zeros have a cosine of 0, and a gradient.
        let squares = [input1.square().sum(-1)?.shift(1e-12), input2.square().sum(-1)?.shift(1e-12)];
        let cosine = input1.mul(input2)?.sum(-1)?.div(&squares[0].mul(&squares[1])?.sqrt())?;
        let near = or_zero(&target.value().map(|y| y == T::ONE), &cosine.neg().shift(1.0))?;
        let far = or_zero(&target.value().map(|y| y == -T::ONE), &hinge(&cosine.shift(-self.margin))?)?;
        self.reduction.of(&near.add(&far)?)
    }
}

/// max(0, d(a, p) − d(a, n) + margin) with d(x, y) = ‖x − y + ε‖ₚ along the last axis: the positive is to be
/// nearer to the anchor than the negative.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html),
/// [Balntas et al. 2016](https://bmva-archive.org.uk/bmvc/2016/papers/paper119/index.html)
///
/// ```
/// # use retrograd_nn::{Tensor, TripletMarginLoss, Var};
/// let [a, p, n] = [[0.0f64, 0.0], [3.0, 4.0], [0.0, 1.0]].map(|values| Var::from(Tensor::from(values)));
/// let loss = TripletMarginLoss::default().forward(&a, &p, &n)?.item()?;
/// assert!((loss - 5.0).abs() < 1e-5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginLoss {
    /// By how much nearer, above 0.
    pub margin: f64,
    /// Of which norm the distance is; ∞ is the largest difference.
    pub p: f64,
    /// ε, which keeps the distance of equals away from the root's infinite slope.
    pub eps: f64,
    /// Whether the distance of negative and positive counts where it is smaller than that of negative and
    /// anchor.
    pub swap: bool,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// A margin of 1 between Euclidean distances, ε = 10⁻⁶, no swap, the mean.
impl Default for TripletMarginLoss {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMarginLoss {
    /// The loss of vectors `[n, d]` or `[d]`, which broadcast and have as many axes as each other.
    ///
    /// # Errors
    /// If the shapes do not fit or are those of scalars, or the margin is not above 0.
    #[track_caller]
    pub fn forward<T: Float>(&self, anchor: &Var<T>, positive: &Var<T>, negative: &Var<T>) -> Result<Var<T>> {
        let op = "triplet_margin_loss";
        if self.margin.is_nan() || self.margin <= 0.0 {
            return Err(Error::new(op, format!("expected a margin above 0, found {}", self.margin)));
        }
        check_shapes(op, &[anchor, positive, negative])?;
        if anchor.rank() == 0 {
            return Err(Error::new(op, "expected vectors [n, d] or [d], found scalars"));
        }
        let near = self.distance(anchor, positive)?;
        let mut far = self.distance(anchor, negative)?;
        if self.swap {
            far = far.minimum(&self.distance(positive, negative)?)?;
        }
        self.reduction.of(&hinge(&near.sub(&far)?.shift(self.margin))?)
    }

    #[track_caller]
    fn distance<T: Float>(&self, x: &Var<T>, y: &Var<T>) -> Result<Var<T>> {
        x.sub(y)?.shift(self.eps).norm(-1, self.p)
    }
}
