//! Is a gradient right? Compare it with what happens when the input is moved a little.
//!
//! ```text
//! cargo run --example gradcheck
//! ```

use retrograd::prelude::*;

fn main() -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(1);
    let (x, w) = (Tensor::randn([2, 3], rng)?, Tensor::randn([4, 3], rng)?);

    // A function of one's own, made of operations: the squared length of each row of x·Wᵀ, squashed.
    let squashed_length = |[x, w]: [&Var<f64>; 2]| Ok(x.linear(w, None)?.square().sum(1)?.tanh());

    // `gradcheck` moves every element of every input up and down by 10⁻⁵, watches the function, and compares
    // the slope with the gradient that the tape gives. All in f64: f32 has too few digits for a difference this
    // small.
    gradcheck(squashed_length, [x.clone(), w.clone()])?;
    println!("first order: right");

    // `gradgradcheck` does the same with the gradient itself, as a function of the inputs.
    gradgradcheck(squashed_length, [x.clone(), w.clone()])?;
    println!("second order: right");

    // A gradient that is wrong is found, and the report says where: here the pullback forgets a factor of 2.
    let forgetful = |[x]: [&Var<f64>; 1]| ForgetfulSquare.apply([x]);
    println!("wrong: {}", gradcheck(forgetful, [x]).unwrap_err());
    Ok(())
}

struct ForgetfulSquare;

impl<T: Float> Op<T, 1> for ForgetfulSquare {
    fn name(&self) -> &'static str {
        "forgetful_square"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        Ok(x.map(|x| x * x))
    }

    fn vjp(&self, [x]: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(g * x)]) // should be g·2x
    }
}
