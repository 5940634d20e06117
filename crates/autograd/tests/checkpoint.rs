//! Checkpoints: the same bits for less memory. The counters of memory are the whole process's, so that tests that
//! read them hold a lock.

use std::sync::Mutex;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use retrograd_autograd::{Parameter, Tape, Var, grad};
use retrograd_tensor::{Result, Tensor, memory_use, reset_peak};

static MEMORY: Mutex<()> = Mutex::new(());

fn normal<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// A layer with a weight, a mask drawn from the tape's random numbers, and values from outside.
fn block(x: &Var<f64>, w: &Parameter<f64>) -> Result<Var<f64>> {
    let tape = x.tape().unwrap();
    let mask: Vec<bool> = (0..x.numel()).map(|_| tape.random(|rng| rng.random())).collect();
    let mask = Tensor::from_slice(&mask, x.shape())?;
    let zero = Var::from(Tensor::scalar(0.0));
    let y = x.matmul(&w.on(x))?.tanh().add(x)?;
    Var::where_(&mask, &y.sigmoid().mul(&y.sin())?, &zero)
}

type Plan = fn(&Var<f64>, &[Parameter<f64>]) -> Result<Var<f64>>;

fn plain(x: &Var<f64>, w: &[Parameter<f64>]) -> Result<Var<f64>> {
    w.iter().try_fold(x.clone(), |x, w| block(&x, w))
}

const PLANS: [(&str, Plan); 4] = [
    ("one block", |x, w| x.checkpoint(|x| plain(x, w))),
    ("a block each", |x, w| w.iter().try_fold(x.clone(), |x, w| x.checkpoint(|x| block(x, w)))),
    ("blocks in blocks", |x, w| {
        let (head, tail) = w.split_at(w.len() / 2);
        let y = x.checkpoint(|x| x.checkpoint(|x| plain(x, head))?.checkpoint(|x| block(x, &tail[0])))?;
        y.checkpoint(|y| y.exp_m1().checkpoint(|y| plain(&y.ln_1p(), &tail[1..])))
    }),
    ("some outside", |x, w| {
        let y = block(&block(x, &w[0])?, &w[1])?;
        let y = y.exp_m1().checkpoint(|y| plain(&y.ln_1p(), &w[2..]))?;
        Ok(y.tanh().sin())
    }),
];

fn weights() -> Vec<Parameter<f64>> {
    let small = |i| Parameter::new(normal([4, 4], i).map(|w| 0.3 * w));
    (10..14).map(small).collect()
}

/// Value, gradients of x and the weights, and second derivatives.
fn all(plan: Plan, reference: Plan, w: &[Parameter<f64>]) -> [Vec<Tensor<f64>>; 2] {
    [plan, reference].map(|plan| {
        let tape = Tape::seeded(5);
        let x = tape.leaf(normal([3, 4], 1));
        let y = plan(&x, w).unwrap().square().mean(..).unwrap();
        let mut found = vec![y.value().clone()];
        let [g] = grad(&y, [&x]).unwrap();
        let second = g.square().sum(..).unwrap().backward_retain().unwrap();
        let first = y.backward().unwrap();
        for gradients in [first, second] {
            found.push(gradients.wrt(&x).unwrap().clone());
            found.extend(w.iter().map(|w| gradients.get(w).unwrap().clone()));
        }
        found
    })
}

#[test]
fn gradients_of_both_orders_are_the_same_to_the_last_bit() {
    let w = weights();
    // What `exp_m1` and `ln_1p` add in a plan, the reference has too.
    let references: [Plan; 4] = [
        plain,
        plain,
        |x, w| plain(&plain(x, &w[..3])?.exp_m1().ln_1p(), &w[3..]),
        |x, w| Ok(plain(&plain(x, &w[..2])?.exp_m1().ln_1p(), &w[2..])?.tanh().sin()),
    ];
    for ((name, plan), reference) in PLANS.into_iter().zip(references) {
        let [with, without] = all(plan, reference, &w);
        assert_eq!(with, without, "{name}");
    }
}

#[test]
fn a_plain_backward_through_blocks_is_the_same_too_and_lets_go_of_everything() {
    let w = weights();
    for (name, plan) in PLANS.into_iter().take(2) {
        let run = |plan: Plan| {
            let tape = Tape::seeded(5);
            let x = tape.leaf(normal([3, 4], 1));
            let y = plan(&x, &w).unwrap().square().mean(..).unwrap();
            let saved = tape.saved_bytes();
            let gradients = y.backward().unwrap();
            assert_eq!(tape.saved_bytes(), 0, "{name}");
            let mut found = vec![gradients.wrt(&x).unwrap().clone()];
            found.extend(w.iter().map(|w| gradients.get(w).unwrap().clone()));
            (found, saved)
        };
        let ((with, small), (without, large)) = (run(plan), run(plain));
        assert_eq!(with, without, "{name}");
        assert!(small < large, "{name}: {small} of {large} bytes");
    }
}

#[test]
fn a_cleared_tape_starts_afresh_also_from_inside_a_block() {
    let tape = Tape::new();
    let x = tape.leaf(normal([3], 1));
    x.checkpoint(|x| x.exp().sum(..)).unwrap().backward().unwrap();
    tape.clear();
    let x = tape.leaf(normal([3], 1));
    let y = x.checkpoint(|_| {
        tape.clear();
        let z = tape.leaf(normal([3], 1));
        Ok((z.exp().sum(..)?, z))
    });
    let (y, z) = y.unwrap();
    assert_eq!(y.backward().unwrap().wrt(&z), Some(&normal([3], 1).exp()));
}

#[test]
fn a_block_that_fails_or_panics_is_closed() {
    let tape = Tape::new();
    let x = tape.leaf(normal([3], 1));
    assert!(x.checkpoint(|x| x.exp().reshape(&[7])).is_err());
    let panicking =
        std::panic::AssertUnwindSafe(|| x.checkpoint(|_| -> Result<()> { std::panic::panic_any(1) }));
    assert!(std::panic::catch_unwind(panicking).is_err());
    let before = tape.saved_bytes();
    let y = x.sin().exp();
    assert!(tape.saved_bytes() > before, "outside again, values are kept");
    y.sum(..).unwrap().backward().unwrap();
}

#[test]
fn a_gradient_taken_inside_a_block_is_part_of_it() {
    let run = |checkpointed: bool| {
        let x = Tape::new().leaf(normal([4], 1));
        let penalty = |x: &Var<f64>| {
            let y = x.tanh();
            let [g] = grad(&(y.exp() * &y).sum(..)?, [x])?;
            g.square().sum(..)
        };
        let y = if checkpointed { x.checkpoint(penalty) } else { penalty(&x) };
        y.unwrap().backward().unwrap().wrt(&x).unwrap().clone()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn what_was_replayed_inside_a_block_is_refused_by_name() {
    let x = Tape::new().leaf(normal([4], 1));
    let y = x.checkpoint(|x| {
        let y = x.exp();
        y.sin().sum(..)?.backward()?;
        y.tanh().sum(..)
    });
    let error = y.unwrap().backward().unwrap_err();
    assert!(error.fact().starts_with("`tanh` (at ") && error.fact().contains("replayed before"), "{error}");
}

#[test]
fn two_results_of_a_block_can_be_replayed_one_after_the_other() {
    let x = Tape::new().leaf(normal([4], 1));
    let (a, b) = x.checkpoint(|x| Ok((x.exp().sum(..)?, x.sin().sum(..)?))).unwrap();
    assert_eq!(a.backward().unwrap().wrt(&x), Some(&x.value().exp()));
    assert_eq!(b.backward().unwrap().wrt(&x), Some(&x.value().cos()));
}

#[test]
fn bare_variables_and_constants_pass_through() {
    let bare = Var::from(normal([3], 1));
    assert_eq!(bare.checkpoint(|x| Ok(x.exp())).unwrap().value(), &bare.value().exp());
    let tape = Tape::new();
    let (x, w) = (tape.constant(normal([3], 1)), tape.leaf(normal([3], 2)));
    let y = x.checkpoint(|x| (x.exp() * &w).exp().sum(..)).unwrap();
    assert!(y.backward().unwrap().wrt(&w).is_some());
}

#[test]
fn the_peak_of_memory_falls() {
    let _alone = MEMORY.lock().unwrap();
    const SIZE: usize = 64 * 1024;
    let x = Tensor::<f32>::full([SIZE], 0.5).unwrap();
    let run = |checkpointed: bool| {
        let tape = Tape::new();
        let mut y = tape.leaf(x.clone());
        let before = memory_use().live;
        reset_peak();
        let segment = |y: &Var| Ok((0..8).fold(y.clone(), |y, _| y.sin().tanh()));
        for _ in 0..8 {
            y = if checkpointed { y.checkpoint(segment).unwrap() } else { segment(&y).unwrap() };
        }
        let saved = tape.saved_bytes();
        let loss = y.sum(..).unwrap();
        drop(y);
        loss.backward().unwrap();
        assert!(tape.peak_saved_bytes() >= saved);
        (saved, tape.peak_saved_bytes(), memory_use().peak - before)
    };
    let ((few, small, low), (many, large, high)) = (run(true), run(false));
    assert!(4 * few < many && 2 * small < large, "kept: {few} of {many}, at most {small} of {large}");
    assert!(2 * low < high, "peak: {low} of {high} bytes");
}
