//! Every operation's gradients, and the gradients of its gradients, against central differences.
//!
//! A case is a row in one of the rooms: what it shows, the inputs, the function. The last test reads the sources
//! of the operations and fails when one of them stands in no case.

mod binary;
mod convolution;
mod elementwise;
mod fan_out;
mod interleaving;
mod linear;
mod losses;
mod normalization;
mod padding;
mod pooling;
mod products;
mod reductions;
mod sources;
mod upsampling;

use std::collections::BTreeSet;
use std::num::NonZeroI64;

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_autograd::{Interleaved, Tape, Var, grad_with, gradcheck, gradgradcheck};
use retrograd_tensor::{
    Divisor, Interpolation, Resize, Result, Slice, Sliding, Tensor, Transposed, Window, keepdim,
};

type V = Var<f64>;
type Unary = (&'static str, fn(&V) -> V);
type Binary = (&'static str, fn(&V, &V) -> Result<V>);

/// Gradients, of which some may not exist.
type Gradients = Vec<Option<Tensor<f64>>>;

/// A row of the table, the number of inputs forgotten.
struct Case {
    name: &'static str,
    first: Box<dyn Fn() -> Result<()>>,
    second: Box<dyn Fn() -> Result<()>>,
    /// Gradients of both orders under a checkpoint, and without.
    checkpointed: Box<dyn Fn() -> Result<[Gradients; 2]>>,
    /// The names of the operations that the function itself records.
    operations: Box<dyn Fn() -> Result<Vec<&'static str>>>,
}

fn case<const N: usize>(
    name: &'static str,
    inputs: [Tensor<f64>; N],
    f: impl Fn([&V; N]) -> Result<V> + Clone + 'static,
) -> Case {
    let (x, f1) = (inputs.clone(), f.clone());
    let (x2, f2) = (inputs.clone(), f.clone());
    let (x3, f3) = (inputs.clone(), f.clone());
    let both = move || Ok([gradients_of(&f3, &x3, true)?, gradients_of(&f3, &x3, false)?]);
    let record = move || {
        let tape = Tape::new();
        let leaves = inputs.each_ref().map(|x| tape.leaf(x.clone()));
        f(leaves.each_ref())?;
        Ok(tape.operations())
    };
    Case {
        name,
        first: Box::new(move || gradcheck(&f1, x.clone())),
        second: Box::new(move || gradgradcheck(&f2, x2.clone())),
        checkpointed: Box::new(both),
        operations: Box::new(record),
    }
}

/// The gradients of `f`, then those of their squares, of inputs that are made inside the block too.
fn gradients_of<const N: usize>(
    f: impl Fn([&V; N]) -> Result<V>,
    inputs: &[Tensor<f64>; N],
    checkpointed: bool,
) -> Result<Vec<Option<Tensor<f64>>>> {
    let tape = Tape::new();
    let leaves = inputs.each_ref().map(|x| tape.leaf(x.clone()));
    let block = || f(leaves.each_ref().map(|x| x.scale(1.0)).each_ref());
    let y = if checkpointed { leaves[0].checkpoint(|_| block())? } else { block()? };
    if !y.is_recorded() {
        return Ok(Vec::new());
    }
    let cotangent = Var::from(Tensor::randn(y.shape(), &mut StdRng::seed_from_u64(3))?);
    let mut sum = tape.leaf(Tensor::scalar(0.0));
    for x in &leaves {
        if let Ok([g]) = grad_with(&y, [x], &cotangent) {
            sum = sum.add(&g.square().sum(..)?)?;
        }
    }
    let mut gradients = Vec::new();
    let second = sum.backward_retain()?;
    let first = y.backward_with(cotangent.into_value())?;
    for gradient in [first, second] {
        gradients.extend(leaves.iter().map(|x| gradient.wrt(x).cloned()));
    }
    Ok(gradients)
}

/// Normal numbers, the same for the same shape and `seed`: neither equal to each other nor at a kink.
fn normal<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// Numbers from ½ to 2, where logarithms, roots and quotients are tame.
fn positive<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::rand(shape, 0.5, 2.0, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// The adjoint of a linear `map` of variables of `shape`, as a function of the cotangent: the pullback,
/// recorded.
fn adjoint<const R: usize>(
    map: impl Fn(&V) -> Result<V> + Clone,
    shape: [usize; R],
) -> impl Fn([&V; 1]) -> Result<V> + Clone {
    move |[g]| {
        let tape = g.tape().cloned().unwrap_or_else(Tape::new);
        let x = tape.leaf(normal(shape, 99));
        let [gx] = grad_with(&map(&x)?, [&x], g)?;
        Ok(gx)
    }
}

fn index(positions: &[i64]) -> Tensor<i64> {
    Tensor::from_slice(positions, [positions.len()]).unwrap()
}

fn cases() -> Vec<Case> {
    let rooms = [
        binary::cases,
        convolution::cases,
        elementwise::cases,
        fan_out::cases,
        interleaving::cases,
        linear::cases,
        padding::cases,
        losses::cases,
        normalization::cases,
        pooling::cases,
        products::cases,
        reductions::cases,
        upsampling::cases,
    ];
    rooms.iter().flat_map(|cases| cases()).collect()
}

/// Runs a check of every case and reports all that failed at once.
fn all(check: impl Fn(&Case) -> Result<()>) {
    let cases = cases();
    let wrong = cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, check(case).err()?)));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_gradient_is_the_slope_of_its_function() {
    all(|case| (case.first)());
}

#[test]
fn every_gradient_of_a_gradient_is_the_slope_of_the_gradient() {
    all(|case| (case.second)());
}

#[test]
fn every_gradient_of_both_orders_is_the_same_to_the_last_bit_under_a_checkpoint() {
    for case in cases() {
        let [with, without] = (case.checkpointed)().unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(with, without, "{}", case.name);
    }
}

#[test]
fn third_derivatives_are_the_slopes_of_second_derivatives() {
    fn third(f: impl Fn(&V) -> Result<V>, x: Tensor<f64>) -> Result<()> {
        let gradient = |[x]: [&V; 1]| {
            let y = f(x)?;
            // Off the tape nothing is differentiated; there the check only asks for the shape.
            if !y.is_recorded() {
                return Ok(x.clone());
            }
            let [g] = grad_with(&y, [x], &Var::from(normal([1], 5).broadcast_to(y.shape())?))?;
            Ok(g)
        };
        gradgradcheck(gradient, [x])
    }
    let w = normal([3, 2], 2);
    let kernel = normal([2, 1, 2, 2], 3);
    type Row<'a> = (&'static str, Tensor<f64>, Box<dyn Fn(&V) -> Result<V> + 'a>);
    let rows: [Row<'_>; 9] = [
        (
            "conv and maximum pooling",
            normal([1, 1, 4, 4], 4),
            Box::new(|x| {
                let y = x.conv(&Var::from(&normal([1, 1, 3, 3], 6)), None, 1, Sliding::<2>::default())?;
                Ok(y.tanh().max_pool::<2>([2; 2], [1; 2])?.0.exp())
            }),
        ),
        ("average pooling", normal([1, 1, 4, 4], 4), Box::new(|x| Ok(x.sin().avg_pool2d(2)?.exp()))),
        ("tanh", normal([2, 3], 1), Box::new(|x| Ok(x.tanh()))),
        ("division", positive([2, 3], 1), Box::new(|x| Ok(x / (x * x + 1.0)))),
        ("pow", positive([3], 1), Box::new(|x| x.pow(&x.square()))),
        ("softmax", normal([2, 3], 1), Box::new(|x| x.softmax(1))),
        ("log_softmax", normal([3, 2], 1), Box::new(|x| x.log_softmax(0))),
        ("a layer", normal([2, 3], 1), Box::new(|x| Ok(x.matmul(&Var::from(&w))?.sigmoid()))),
        (
            "conv",
            normal([1, 1, 3, 3], 1),
            Box::new(|x| Ok(x.conv(&Var::from(&kernel), None, 1, Sliding::<2>::default())?.exp())),
        ),
    ];
    for (name, x, f) in rows {
        third(f, x).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_operation_stands_in_a_case() {
    let checked: BTreeSet<String> =
        cases().iter().flat_map(|case| (case.operations)().unwrap()).map(String::from).collect();
    let written = sources::operations();
    let overlooked: Vec<&String> = written.difference(&checked).collect();
    assert!(overlooked.is_empty(), "operations of src/ops/ that no case records: {overlooked:?}");
    let unread: Vec<&String> = checked.difference(&written).collect();
    assert!(
        unread.is_empty(),
        "operations that the reader of src/ops/ misses, so that it may miss others: {unread:?}"
    );
}
