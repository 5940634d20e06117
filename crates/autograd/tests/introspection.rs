//! What a tape tells of itself: operations and their cost, a profile, a drawing, its peak.

use retrograd_autograd::{Parameter, Tape, Var};
use retrograd_tensor::{Sliding, Tensor, Transposed};

#[test]
fn operations_are_listed_with_shape_line_parameters_and_cost() {
    let tape = Tape::new();
    let (w, b) = (Parameter::new(Tensor::ones([4, 3]).unwrap()), Parameter::new(Tensor::ones([4]).unwrap()));
    let x = tape.constant(Tensor::<f32>::ones([2, 3]).unwrap());
    let (y, line) = (x.linear(&w.on(&x), None).unwrap(), line!());
    y.add(&b.on(&x).reshape(&[1, 4]).unwrap()).unwrap();
    let [product, reshape, sum] = &tape.recorded()[..] else { panic!("{:?}", tape.operations()) };
    assert_eq!((product.op, product.at.line(), &product.shape), ("matmul", line, &[2, 4].into()));
    assert_eq!(
        (product.multiply_adds, &product.parameters[..], product.prepares),
        (24, &[w.id()][..], false)
    );
    assert_eq!(product.saved_bytes, 24, "the input, for the weight's gradient");
    assert!(reshape.prepares && !sum.prepares);
    assert_eq!((&sum.parameters[..], sum.multiply_adds), (&[b.id()][..], 0));
}

#[test]
fn products_and_convolutions_count_alike_whichever_way_they_run() {
    let count = |f: fn(&Tape) -> Var| {
        let tape = Tape::new();
        f(&tape);
        tape.recorded().iter().map(|recorded| recorded.multiply_adds).sum::<u64>()
    };
    fn of(tape: &Tape, shape: &[usize]) -> Var {
        tape.leaf(Tensor::ones(shape).unwrap())
    }
    assert_eq!(count(|t| of(t, &[2, 3]).matmul(&of(t, &[3, 5])).unwrap()), 30);
    let both = |t: &Tape| of(t, &[3, 2]).product(&of(t, &[5, 3]), Transposed { a: true, b: true }).unwrap();
    assert_eq!(count(both), 30);
    assert_eq!(count(|t| of(t, &[7, 2, 3]).matmul(&of(t, &[3, 5])).unwrap()), 7 * 30);
    let conv = |t: &Tape| {
        let (x, w) = (of(t, &[2, 4, 5, 5]), of(t, &[6, 2, 3, 3]));
        x.conv(&w, None, 2, Sliding::<2>::default()).unwrap()
    };
    assert_eq!(count(conv), (2 * 6 * 3 * 3) * (2 * 3 * 3));
    let back = |t: &Tape| {
        let (x, w) = (of(t, &[2, 6, 3, 3]), of(t, &[6, 2, 3, 3]));
        x.conv_transpose(&w, None, 2, Sliding::<2>::default(), [0; 2]).unwrap()
    };
    assert_eq!(count(back), (2 * 6 * 3 * 3) * (2 * 3 * 3), "the same terms, solved for the other slot");
}

#[test]
fn a_profile_has_calls_times_bytes_and_lines_and_goes_on_through_clears() {
    let tape = Tape::new().profiled();
    for _ in 0..3 {
        tape.clear();
        let x = tape.leaf(Tensor::<f32>::ones([1, 1, 100, 100]).unwrap());
        let y = x.exp().max_pool2d(2).unwrap().reshape(&[2500]).unwrap();
        y.square().mean(..).unwrap().backward().unwrap();
    }
    let profile = tape.profile();
    let names: Vec<_> = profile.rows.iter().map(|row| row.op).collect();
    assert_eq!(names, ["exp", "max_pool", "reshape", "square", "sum_to", "divide"]);
    assert!(profile.rows.iter().all(|row| row.calls == 3 && row.at.file() == file!()));
    let [exp, pool, reshape, ..] = &profile.rows[..] else { unreachable!() };
    assert_eq!((exp.output_bytes, exp.saved_bytes), (3 * 40_000, 3 * 40_000));
    assert_eq!((pool.output_bytes, reshape.output_bytes), (3 * 10_000, 0), "a reshape shares its elements");
    assert!(!exp.forward.is_zero() && !exp.backward.is_zero() && !pool.forward.is_zero());
    let text = profile.to_string();
    assert_eq!(text.lines().count(), 6 + 2, "{text}");
    assert!(text.starts_with("operation ") && text.contains("introspection.rs:"), "{text}");
    assert!(Tape::<f32>::new().profile().rows.is_empty());
}

#[test]
fn the_bytes_kept_and_their_peak_are_accounted_for() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::<f32>::ones([100]).unwrap());
    let y = x.exp().square().exp().sum(..).unwrap();
    assert_eq!((tape.saved_bytes(), tape.peak_saved_bytes()), (1200, 1200));
    y.backward().unwrap();
    assert_eq!((tape.saved_bytes(), tape.peak_saved_bytes()), (0, 1200));
    tape.clear();
    assert_eq!(tape.peak_saved_bytes(), 0);
}
