//! Gradients of gradients: Newton's method, and a gradient penalty.
//!
//! ```text
//! cargo run --example second_order
//! ```

use retrograd::prelude::*;

fn main() -> Result<()> {
    newton()?;
    gradient_penalty()
}

/// Finds the minimum of Rosenbrock's valley f(x, y) = (1 − x)² + 100·(y − x²)². Newton's step solves H·d = ∇f,
/// where the Hessian H is the gradient of the gradient.
fn newton() -> Result<()> {
    let (mut x, mut y) = (-1.2, 1.0);
    for step in 0.. {
        let tape = Tape::new();
        let (vx, vy) = (tape.leaf(Tensor::scalar(x)), tape.leaf(Tensor::scalar(y)));
        let f = (1.0 - &vx).square() + (&vy - vx.square()).square() * 100.0;

        // `grad` gives the gradient as variables of the same tape, …
        let [fx, fy] = grad(&f, [&vx, &vy])?;
        println!("newton {step}: f({x:.6}, {y:.6}) = {:.3e}", f.item()?);
        if fx.item()?.abs() + fy.item()?.abs() < 1e-10 {
            return Ok(());
        }
        // … which can be differentiated in turn: a row of the Hessian each.
        let [fxx, fxy] = grad(&fx, [&vx, &vy])?;
        let [fyx, fyy] = grad(&fy, [&vx, &vy])?;
        let [fx, fy, fxx, fxy, fyx, fyy] =
            [fx, fy, fxx, fxy, fyx, fyy].map(|v: Var<f64>| v.value().as_slice()[0]);
        let determinant = fxx * fyy - fxy * fyx;
        x -= (fyy * fx - fxy * fy) / determinant;
        y -= (fxx * fy - fyx * fx) / determinant;
    }
    Ok(())
}

/// Trains a network to tell the inside of a circle from the outside, while a penalty on ‖∂output/∂input‖² keeps
/// it smooth. The penalty is made of a gradient, so training on it takes the gradient of a gradient, through
/// every layer.
fn gradient_penalty() -> Result<()> {
    for weight in [0.0, 0.02] {
        let rng = &mut StdRng::seed_from_u64(3);
        let mut model = sequential![Linear::new(2, 32).build(rng)?, Tanh, Linear::new(32, 1).build(rng)?];
        let x: Tensor = Tensor::rand([256, 2], -1.5, 1.5, rng)?;
        let inside = x.map(|x| x * x).sum(keepdim(1))?.map(|r| if r < 1.0 { 1.0 } else { -1.0 });
        let tape = Tape::new();
        let mut optimizer = Adam::new(0.01);
        let (mut fit, mut slope) = (0.0, 0.0);
        for _ in 0..400 {
            tape.clear();
            let points = tape.leaf(x.clone());
            let y = model.forward(&points)?;
            let [dy] = grad(&y.sum(..)?, [&points])?;
            let penalty = dy.square().sum(1)?.mean(..)?;
            let error = y.mse_loss(&Var::from(&inside))?;
            (fit, slope) = (error.item()?, penalty.item()?);
            let gradients = (error + penalty * weight).backward()?;
            optimizer.step(&mut model, &gradients)?;
        }
        println!("penalty {weight}: error {fit:.3}, mean squared slope {slope:.2}");
    }
    Ok(())
}
