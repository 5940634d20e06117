//! An operation of one's own, from outside the crate: its value, its pullback, its check, and its use in a
//! network.
//!
//! ```text
//! cargo run --release --example custom_op
//! ```

use retrograd::prelude::*;

/// y = x·e^(−x²/2), a wavelet: it answers to a feature of about size 1 and to nothing else.
struct Wavelet;

impl<T: Float> Op<T, 1> for Wavelet {
    fn name(&self) -> &'static str {
        "wavelet"
    }

    /// The value, on plain tensors.
    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        Ok(x.map(|x| x * (-x * x * T::from_f64(0.5)).exp()))
    }

    /// What reaches x of a cotangent g of y: g·dy/dx, with dy/dx = (1 − x²)·e^(−x²/2). Written in variables, so
    /// that it can be differentiated again.
    fn vjp(&self, [x]: [&Var<T>; 1], _y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        let slope = (1.0 - x.square()) * (x.square() * -0.5).exp();
        Ok([Some(g * slope)])
    }

    /// The pullback reads x and not y, so the tape need not keep y.
    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::inputs([true])
    }
}

/// The operation as a layer: nothing to train, so no fields.
struct WaveletLayer;

module!(WaveletLayer {});

impl Layer for WaveletLayer {
    fn forward(&self, x: &Var) -> Result<Var> {
        Wavelet.apply([x])
    }
}

fn main() -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(7);

    // First the check, at both orders.
    let x = Tensor::randn([5, 3], rng)?;
    gradcheck(|[x]| Wavelet.apply([x]), [x.clone()])?;
    gradgradcheck(|[x]| Wavelet.apply([x]), [x])?;
    println!("the gradients are right at orders 1 and 2");

    // Then the use: fit a curve with a few of them.
    let mut model = sequential![Linear::new(1, 16).build(rng)?, WaveletLayer, Linear::new(16, 1).build(rng)?];
    let x: Tensor = Tensor::rand([256, 1], -3.0, 3.0, rng)?;
    let target = Var::from(x.map(|x| (2.0 * x).sin()));
    let tape = Tape::new();
    let mut optimizer = Adam::new(0.02);
    for step in 0..=1000 {
        tape.clear();
        let loss = model.forward(&tape.constant(x.clone()))?.mse_loss(&target)?;
        optimizer.step(&mut model, &loss.backward()?)?;
        if step % 250 == 0 {
            println!("step {step:4}: mean squared error {:.5}", loss.item()?);
        }
    }
    Ok(())
}
