//! What a tape records, and how it is replayed: one neuron, on plain numbers.
//!
//! ```text
//! cargo run --example tape                    # add `| dot -Tsvg > tape.svg` to draw what it prints last
//! ```

use retrograd::prelude::*;

fn main() -> Result<()> {
    // A tape is one computation. A leaf is a variable that gradients are wanted for.
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(2.0));
    let w = tape.leaf(Tensor::scalar(-3.0));
    let b = tape.leaf(Tensor::scalar(6.5));

    // Computing with leaves records: each operation notes its operands, and those values that its derivative
    // reads.
    let y = (&w * &x + &b).tanh();
    eprintln!("y = tanh(w·x + b) = {:.4}, recorded as {:?}", y.item()?, tape.operations());

    // `backward` replays the tape from the end. Every operation gets the derivative of y with respect to its
    // result, multiplies by its own slope, and hands the product to its operands: the chain rule, one step at a
    // time.
    //
    //   tanh   dy/d(w·x + b) = 1 − y²
    //   +      passes it on to w·x and to b
    //   ·      dy/dw = (1 − y²)·x     dy/dx = (1 − y²)·w
    let slope = 1.0 - y.item()? * y.item()?;
    let gradients = y.backward()?;
    let of = |leaf: &Var| gradients.wrt(leaf).map(Tensor::item).transpose();
    eprintln!("dy/dw = {:?}, by hand {:?}", of(&w)?, slope * 2.0);
    eprintln!("dy/dx = {:?}, by hand {:?}", of(&x)?, slope * -3.0);
    eprintln!("dy/db = {:?}, by hand {:?}", of(&b)?, slope);

    // A replay lets go of the values it has passed, so a second one is refused; so is a variable of a cleared
    // tape.
    eprintln!("again: {}", y.backward().unwrap_err());
    tape.clear();
    eprintln!("after clear: {}", x.add(&b).unwrap_err());

    // Without a tape the same code records nothing: that is inference.
    let x = Var::from(Tensor::scalar(2.0));
    eprintln!("without a tape: {:?}", x.tanh());

    // The graph of a small network's first layer, for `dot`.
    let x = tape.leaf(Tensor::from([[0.5, -1.0]]));
    let w = tape.leaf(Tensor::from([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]));
    let b = tape.leaf(Tensor::from([0.0, 0.1, 0.2]));
    x.linear(&w, Some(&b))?.sigmoid().square().mean(..)?;
    print!("{}", tape.to_dot());
    Ok(())
}
