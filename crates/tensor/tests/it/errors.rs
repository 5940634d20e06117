//! Every refusal: its text, word for word, and the caller's line. No input makes an operation panic.

use std::panic::Location;

use retrograd_tensor::{Axes, Error, Result, Slice, Tensor, Transposed, keepdim};

use crate::oracle::rng;

/// The result is an error of this text that names the line on which it was made.
#[track_caller]
fn refuses<V>(result: Result<V>, text: &str) {
    let Err(error) = result else { panic!("expected an error: {text}") };
    assert_eq!(format!("{}: {}", error.op(), error.fact()), text);
    let (here, at) = (Location::caller(), error.location().expect("a line of the program"));
    // A call that is broken into lines begins a line or two above its operation.
    let lines = here.line()..=here.line() + 2;
    assert!(at.file() == here.file() && lines.contains(&at.line()), "{text}: at {at}, called at {here}");
}

fn x(shape: &[usize]) -> Tensor<f64> {
    Tensor::zeros(shape).unwrap()
}

#[test]
fn making_and_reading() {
    refuses(Tensor::from_slice(&[1.0f32], [2, 3]), "from_slice: shape [2, 3] wants 6 elements, not 1");
    refuses(Tensor::from_vec(vec![true; 3], [2]), "from_slice: shape [2] wants 2 elements, not 3");
    refuses(x(&[2]).item(), "item: expected one element, found shape [2]");
    refuses(x(&[0]).item(), "item: expected one element, found shape [0]");
}

#[test]
fn element_wise() {
    let (a, b) = (x(&[4, 2, 3]), x(&[5, 3]));
    let differ = "shapes do not broadcast: [4, 2, 3] and [5, 3] (2 ≠ 5 at axis 1 of 3)";
    refuses(a.add(&b), &format!("add: {differ}"));
    refuses(a.sub(&b), &format!("sub: {differ}"));
    refuses(a.mul(&b), &format!("mul: {differ}"));
    refuses(a.div(&b), &format!("div: {differ}"));
    refuses(a.pow(&b), &format!("pow: {differ}"));
    refuses(a.maximum(&b), &format!("maximum: {differ}"));
    refuses(a.minimum(&b), &format!("minimum: {differ}"));
    refuses(a.zip(&b, |a, b| a + b), &format!("zip: {differ}"));
    refuses(a.eq(&b), &format!("eq: {differ}"));
    refuses(a.ne(&b), &format!("ne: {differ}"));
    refuses(a.lt(&b), &format!("lt: {differ}"));
    refuses(a.le(&b), &format!("le: {differ}"));
    refuses(a.gt(&b), &format!("gt: {differ}"));
    refuses(a.ge(&b), &format!("ge: {differ}"));
    refuses(Tensor::where_(&a.map(|x| x > 0.0), &b, &b), &format!("where: {differ}"));
    refuses(a.broadcast_to([5, 3]), &format!("broadcast_to: {differ}"));
    refuses(x(&[2, 3]).broadcast_to([3]), "broadcast_to: [2, 3] does not broadcast to [3]");
    refuses(x(&[2]).sum_to([3, 2]), "sum_to: [3, 2] does not broadcast to [2]");
    refuses(x(&[2]).sum_to([3]), "sum_to: shapes do not broadcast: [3] and [2] (3 ≠ 2 at axis 0 of 1)");
    refuses(x(&[2]).accumulate(&x(&[1])), "accumulate: shapes differ: [2] and [1]");
    refuses(x(&[2]).update(&x(&[1]), |x, _| x), "update: shapes differ: [2] and [1]");
    refuses(
        x(&[2]).update_with([&mut x(&[1])], &x(&[2]), |x, s, _| (x, s)),
        "update: shapes differ: [2] and [1]",
    );
    refuses(x(&[2]).update_with([], &x(&[3]), |x, s, _| (x, s)), "update: shapes differ: [2] and [3]");
}

#[test]
fn reducing() {
    let a = x(&[2, 3]);
    refuses(a.sum(2), "sum: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.mean(-3), "mean: axis -3 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.prod([0, -2]), "prod: axis 0 is named twice in [0, -2]");
    refuses(a.var(keepdim([1, 1]), 0.0), "var: axis 1 is named twice in [1, 1]");
    refuses(x(&[]).amax(0), "amax: axis 0 does not exist in [] (a scalar has none)");
    refuses(x(&[2, 0]).amax(1), "amax: shape [2, 0] has no element to choose from");
    refuses(x(&[2, 0]).amin(..), "amin: shape [2, 0] has no element to choose from");
    refuses(x(&[2, 0]).argmax(1), "argmax: shape [2, 0] has no element to choose from");
    refuses(a.argmin(2), "argmin: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(
        Axes::from(isize::MIN).reduce("op", a.shape()),
        &format!("op: axis {} does not exist in [2, 3] (expected -2 to 1)", isize::MIN),
    );
    refuses(a.softmax(2), "softmax: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(
        a.log_softmax(isize::MAX),
        &format!("log_softmax: axis {} does not exist in [2, 3] (expected -2 to 1)", isize::MAX),
    );
}

#[test]
fn moving() {
    let a = x(&[2, 3]);
    refuses(a.reshape(&[4, 2]), "reshape: [2, 3] has 6 elements: they do not fit [4, 2]");
    refuses(a.reshape_to([4, 2]), "reshape: [2, 3] has 6 elements: they do not fit [4, 2]");
    refuses(a.reshape(&[4, -1]), "reshape: [2, 3] has 6 elements: they do not fit [4, -1]");
    refuses(x(&[0]).reshape(&[0, -1]), "reshape: [0] has 0 elements: they do not fit [0, -1]");
    let extents = "expected extents of at least 0, with at most one −1 among them, not";
    refuses(a.reshape(&[-1, -1]), &format!("reshape: [2, 3] has 6 elements: {extents} [-1, -1]"));
    refuses(a.reshape(&[-2, 3]), &format!("reshape: [2, 3] has 6 elements: {extents} [-2, 3]"));
    refuses(a.flatten(2), "flatten: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.flatten_range(1, 0), "flatten: expected start ≤ end, found 1 and 0");
    refuses(a.unsqueeze(3), "unsqueeze: axis 3 does not exist in [2, 3, 1] (expected -3 to 2)");
    refuses(a.squeeze(2), "squeeze: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.permute(&[0]), "permute: expected every axis of [2, 3] once, found [0]");
    refuses(a.permute(&[0, 0]), "permute: expected every axis of [2, 3] once, found [0, 0]");
    refuses(a.permute(&[0, 2]), "permute: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.transpose(0, 2), "transpose: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.slice(&[Slice::from(..); 3]), "slice: 3 ranges for the 2 axes of [2, 3]");
    refuses(a.slice(&[Slice::from(..).step_by(0)]), "slice: expected steps of at least 1, found 0");
    refuses(a.unslice([4, 4], &[Slice::from(1..3)]), "unslice: expected shape [2, 4], found [2, 3]");
    refuses(a.pad(&[(1, 1)], 0.0), "pad: 1 pairs for the 2 axes of [2, 3]");
    refuses(
        a.pad(&[(-1, -2), (0, 0)], 0.0),
        "pad: padding [(-1, -2), (0, 0)] cuts more off [2, 3] than there is",
    );
    refuses(
        a.pad(&[(-3, 5), (0, 0)], 0.0),
        "pad: padding [(-3, 5), (0, 0)] cuts more off [2, 3] than there is",
    );
    refuses(Tensor::<f64>::concat(&[], 0), "concat: expected at least one tensor");
    refuses(Tensor::concat(&[&x(&[])], 0), "concat: axis 0 does not exist in [] (a scalar has none)");
    refuses(
        Tensor::concat(&[&a, &x(&[2, 4])], 0),
        "concat: shapes differ elsewhere than along axis 0: [2, 3] and [2, 4]",
    );
    refuses(
        Tensor::concat(&[&a, &x(&[3])], 0),
        "concat: shapes differ elsewhere than along axis 0: [2, 3] and [3]",
    );
    refuses(Tensor::<f64>::stack(&[], 0), "stack: expected at least one tensor");
    refuses(Tensor::stack(&[&a, &x(&[2, 4])], 0), "stack: shapes differ: [2, 3] and [2, 4]");
    refuses(Tensor::stack(&[&a, &a], 3), "unsqueeze: axis 3 does not exist in [2, 3, 1] (expected -3 to 2)");
}

#[test]
fn indexing() {
    let a = x(&[2, 3]);
    let index = |positions: &[i64]| Tensor::from_slice(positions, [positions.len()]).unwrap();
    let rows = |rows: [[i64; 2]; 2]| Tensor::from(rows);
    refuses(
        a.index_select(2, &index(&[0])),
        "index_select: axis 2 does not exist in [2, 3] (expected -2 to 1)",
    );
    refuses(
        a.index_select(0, &rows([[0; 2]; 2])),
        "index_select: expected a vector of positions, found shape [2, 2]",
    );
    refuses(
        a.index_select(0, &index(&[1, 2])),
        "index_select: index 2 lies outside axis 0 of [2, 3] (0 to 2 − 1)",
    );
    refuses(
        a.index_select(1, &index(&[-1])),
        "index_select: index -1 lies outside axis 1 of [2, 3] (0 to 3 − 1)",
    );
    refuses(
        a.index_select(1, &index(&[i64::MIN])),
        &format!("index_select: index {} lies outside axis 1 of [2, 3] (0 to 3 − 1)", i64::MIN),
    );
    refuses(
        a.index_add(0, &index(&[1]), &x(&[2, 3])),
        "index_add: expected a vector of positions and a source of [1, 3], found [1] and [2, 3]",
    );
    refuses(
        a.index_add(0, &index(&[7]), &x(&[1, 3])),
        "index_add: index 7 lies outside axis 0 of [2, 3] (0 to 2 − 1)",
    );
    refuses(
        a.gather(0, &index(&[0])),
        "gather: index [1] does not fit [2, 3] (no longer elsewhere than along axis 0)",
    );
    refuses(
        x(&[2, 1]).gather(0, &rows([[0; 2]; 2])),
        "gather: index [2, 2] does not fit [2, 1] (no longer elsewhere than along axis 0)",
    );
    refuses(
        a.gather(1, &rows([[0, 3], [0, 0]])),
        "gather: index 3 lies outside axis 1 of [2, 3] (0 to 3 − 1)",
    );
    refuses(x(&[]).gather(0, &Tensor::scalar(0)), "gather: axis 0 does not exist in [] (a scalar has none)");
    refuses(
        a.scatter_add(1, &rows([[0; 2]; 2]), &x(&[2, 3])),
        "scatter_add: expected one index for each element, found [2, 2] for [2, 3]",
    );
    refuses(
        a.scatter_add(1, &rows([[0, 0], [0, -1]]), &x(&[2, 2])),
        "scatter_add: index -1 lies outside axis 1 of [2, 3] (0 to 3 − 1)",
    );
}

#[test]
fn multiplying() {
    let (a, flipped) = (x(&[2, 3]), Transposed { a: true, b: false });
    refuses(
        x(&[64, 400]).matmul(&x(&[256, 120])),
        "matmul: inner dimensions differ: [64, 400] · [256, 120] (400 ≠ 256)",
    );
    refuses(
        a.product(&a, Transposed { b: true, ..flipped }),
        "matmul: inner dimensions differ: [2, 3]ᵀ · [2, 3]ᵀ (2 ≠ 3)",
    );
    refuses(a.matmul(&x(&[])), "matmul: expected at least one axis each, found [2, 3] · []");
    refuses(a.product(&x(&[3]), flipped), "matmul: expected at least two axes each, found [2, 3] · [3]");
    refuses(a.matmul(&x(&[2])), "matmul: inner dimensions differ: [2, 3] · [2, 1] (3 ≠ 2)");
    refuses(
        x(&[3]).matmul(&x(&[3, 2]).transpose(0, 1).unwrap()),
        "matmul: inner dimensions differ: [1, 3] · [2, 3] (3 ≠ 2)",
    );
    refuses(x(&[3]).matmul(&x(&[2])), "matmul: inner dimensions differ: [1, 3] · [2, 1] (3 ≠ 2)");
    refuses(
        x(&[2, 1, 3]).matmul(&x(&[4, 3, 1])),
        "matmul: shapes do not broadcast: [2] and [4] (2 ≠ 4 at axis 0 of 1)",
    );
}

#[test]
fn drawing() {
    let rng = &mut rng(0);
    refuses(
        Tensor::<f32>::rand([1], 1.0, 0.0, rng),
        "rand: expected finite bounds low ≤ high, found 1 and 0",
    );
    refuses(
        Tensor::<f32>::rand([1], 0.0, f64::NAN, rng),
        "rand: expected finite bounds low ≤ high, found 0 and NaN",
    );
    refuses(
        Tensor::<f32>::rand([1], f64::MIN, f64::MAX, rng),
        &format!("rand: expected finite bounds low ≤ high, found {} and {}", f64::MIN, f64::MAX),
    );
    refuses(
        Tensor::<f32>::bernoulli([1], 1.5, rng),
        "bernoulli: a probability lies within [0, 1], not at 1.5",
    );
    refuses(
        Tensor::<f32>::bernoulli([1], f64::NAN, rng),
        "bernoulli: a probability lies within [0, 1], not at NaN",
    );
}

#[test]
fn shapes_beyond_the_address_space() {
    const MAX: usize = usize::MAX;
    let rng = &mut rng(0);
    let too_many =
        |op: &str, shape: &[usize]| format!("{op}: shape {shape:?} has more elements than can be addressed");
    refuses(Tensor::<f32>::zeros([MAX, 2]), &too_many("full", &[MAX, 2]));
    refuses(Tensor::<f32>::ones([1 << 60]), &too_many("full", &[1 << 60]));
    refuses(Tensor::full([1 << 40, 1 << 40], true), &too_many("full", &[1 << 40, 1 << 40]));
    refuses(Tensor::from_slice(&[1.0f32], [MAX, MAX]), &too_many("from_slice", &[MAX, MAX]));
    refuses(Tensor::<f32>::randn([MAX], rng), &too_many("from_fn", &[MAX]));
    refuses(Tensor::<f32>::arange(MAX), &too_many("arange", &[MAX]));
    let none = Tensor::from_slice(&[], [0]).unwrap();
    let nothing = x(&[0]);
    refuses(Tensor::scatter_add_zeros([MAX], 0, &none, &nothing), &too_many("scatter_add", &[MAX]));
    refuses(Tensor::index_add_zeros([MAX], 0, &none, &nothing), &too_many("index_add", &[MAX]));
    let row = x(&[1, 2]);
    refuses(
        row.reshape_to([MAX, MAX]),
        &format!("reshape: [1, 2] has 2 elements: they do not fit [{MAX}, {MAX}]"),
    );
    refuses(row.broadcast_to([MAX, 2]), &too_many("broadcast_to", &[MAX, 2]));
    refuses(
        row.reshape(&[isize::MAX, 2]),
        &format!("reshape: [1, 2] has 2 elements: they do not fit [{}, 2]", isize::MAX),
    );
    refuses(
        row.reshape(&[isize::MAX, isize::MAX, -1]),
        &format!("reshape: [1, 2] has 2 elements: they do not fit [{0}, {0}, -1]", isize::MAX),
    );
    refuses(row.unslice([MAX, 2], &[Slice::from(0..1)]), &too_many("unslice", &[MAX, 2]));
    let far = (isize::MAX, isize::MAX);
    refuses(row.pad(&[(0, isize::MAX), (0, 0)], 0.0), &too_many("pad", &[1 << 63, 2]));
    refuses(row.pad(&[far, far], 0.0), &too_many("pad", &[MAX, MAX]));
    refuses(
        row.pad(&[(isize::MIN, 0), (0, 0)], 0.0),
        &format!("pad: padding [({}, 0), (0, 0)] cuts more off [1, 2] than there is", isize::MIN),
    );
}

/// An empty tensor's other extents multiply in every operation that walks along an axis.
#[test]
fn empty_shapes_whose_other_extents_overflow() {
    let too_many =
        |op: &str, shape: &[usize]| format!("{op}: shape {shape:?} has more elements than can be addressed");
    const MAX: usize = usize::MAX;
    refuses(Tensor::<f32>::zeros([0, MAX, MAX]), &too_many("full", &[0, MAX, MAX]));
    refuses(Tensor::<f32>::from_slice(&[], [MAX, 0, 2]), &too_many("from_slice", &[MAX, 0, 2]));
    let (column, row) = (x(&[0, 1 << 40, 1]), x(&[0, 1, 1 << 40]));
    refuses(column.add(&row), &too_many("add", &[0, 1 << 40, 1 << 40]));
    refuses(column.broadcast_to([0, 1 << 40, 1 << 40]), &too_many("broadcast_to", &[0, 1 << 40, 1 << 40]));
    refuses(column.matmul(&row), &too_many("matmul", &[0, 1 << 40, 1 << 40]));
    refuses(
        x(&[0, 5]).reshape(&[0, isize::MAX, 4]),
        &format!("reshape: [0, 5] has 0 elements: they do not fit [0, {}, 4]", isize::MAX),
    );
    // A product of matrices each of which could be, were there any.
    let square = x(&[0, 1 << 28, 1 << 28]);
    assert_eq!(square.matmul(&square).unwrap().shape(), square.shape());
    let half = x(&[0, 1 << 58]);
    refuses(Tensor::concat(&[&half; 64], 1), &too_many("concat", &[0, MAX]));
}

#[test]
fn an_error_prints_its_layer_its_operation_and_its_line() {
    let error = x(&[2]).item().unwrap_err().within("conv").within(3).within("features");
    let at = error.location().unwrap();
    assert_eq!(error.path(), "features.3.conv");
    assert_eq!(
        error.to_string(),
        format!("features.3.conv: item: expected one element, found shape [2], at {at}")
    );
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(Error::outside("load", "no such file").to_string(), "load: no such file");
}

#[test]
fn operators_panic_with_the_text_that_their_method_returns_and_the_callers_line() {
    type Pair = (fn(&Tensor, &Tensor) -> Tensor, fn(&Tensor, &Tensor) -> Result<Tensor>);
    let pairs: [Pair; 4] = [
        (|a, b| a + b, Tensor::add),
        (|a, b| a - b, Tensor::sub),
        (|a, b| a * b, Tensor::mul),
        (|a, b| a / b, Tensor::div),
    ];
    let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([1.0f32, 2.0, 3.0]));
    for (operator, method) in pairs {
        let panic = std::panic::catch_unwind(|| operator(&a, &b)).unwrap_err();
        let text = panic.downcast::<String>().unwrap();
        let error = method(&a, &b).unwrap_err();
        let (expected, line) = text.split_once(", at ").unwrap();
        assert_eq!(expected, format!("{}: {}", error.op(), error.fact()));
        assert!(line.starts_with(file!()), "{line}");
    }
}

#[test]
fn shapes_without_memory_are_refused_before_any_is_asked_for() {
    let one = x(&[1, 1]);
    let none = |shape: &str| format!("there is no memory for shape {shape} of f64");
    refuses(Tensor::<f64>::zeros([1 << 38]), &format!("full: {}", none("[274877906944]")));
    refuses(Tensor::<f64>::arange(1 << 40), &format!("arange: {}", none("[1099511627776]")));
    let huge = [1 << 20, 1 << 20];
    refuses(one.broadcast_to(huge), &format!("broadcast_to: {}", none("[1048576, 1048576]")));
    refuses(one.repeat(&huge), &format!("repeat: {}", none("[1048576, 1048576]")));
    refuses(one.pad(&[(1 << 20, 0), (0, 1 << 20)], 0.0), &format!("pad: {}", none("[1048577, 1048577]")));
    let side = x(&[1 << 20, 1]);
    refuses(side.add(&x(&[1 << 20])), &format!("add: {}", none("[1048576, 1048576]")));
    let more = "shape [1152921504606846976, 1] has more elements than can be addressed";
    refuses(one.repeat(&[1 << 60, 1]), &format!("repeat: {more}"));
    refuses(one.expand(&[1 << 60, 1]), &format!("broadcast_to: {more}"));
}

#[test]
fn arranging_and_ordering() {
    let a = x(&[2, 3]);
    refuses(a.flip([0, -2]), "flip: axis 0 is named twice in [0, -2]");
    refuses(a.roll(&[(1, 2)]), "roll: axis 2 does not exist in [2, 3] (expected -2 to 1)");
    refuses(a.repeat(&[2]), "repeat: expected a repeat for each axis of [2, 3], found [2]");
    refuses(
        a.split_with_sizes(&[1, 1], 1),
        "split: expected sizes that sum to 3 at axis 1 of [2, 3], found [1, 1]",
    );
    refuses(a.split(0, 1), "split: expected pieces of at least 1 of the 3, found 0");
    refuses(a.chunk(0, 0), "chunk: expected at least one chunk, found 0");
    refuses(a.topk(4, 1, true), "topk: expected at most the 3 elements there are, found 4");
    refuses(x(&[3]).tril(0), "tril: expected matrices, found shape [3]");
    refuses(a.max_dim([0, 1]), "max_dim: expected one axis");
    refuses(x(&[0]).max_dim(0), "max_dim: shape [0] has no element to choose from");
    refuses(
        a.masked_fill(&x(&[4, 1, 1]).map(|x| x > 0.0), 1.0),
        "masked_fill: mask [4, 1, 1] does not broadcast to [2, 3]",
    );
    refuses(
        a.expand(&[-1, 2, 3]),
        "expand: expected extents of at least 0, or −1 at an axis that [2, 3] has, found [-1, 2, 3]",
    );
    assert_eq!(a.chunk(5, 0).unwrap().len(), 2);
}

#[test]
fn tensors_of_nothing_may_have_axes_of_any_length() {
    let nothing = Tensor::<f64>::zeros([1 << 44, 0]).unwrap();
    assert_eq!(nothing.sum(0).unwrap().shape()[..], [0]);
    assert_eq!(x(&[3, 0]).repeat(&[1 << 44, usize::MAX]).unwrap().shape()[..], [3 << 44, 0]);
}

#[test]
fn a_scalar_is_flattened_as_a_vector_of_one() {
    assert_eq!(*x(&[]).flatten_range(0, -1).unwrap().shape(), [1]);
    refuses(x(&[]).flatten(1), "flatten: axis 1 does not exist in [1] (expected -1 to 0)");
}
