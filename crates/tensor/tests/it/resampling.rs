//! Resampling, against every output as a sum over all inputs, each with its weight.

use rand::RngExt;
use rand::rngs::StdRng;
use retrograd_tensor::{Interpolation, Resampling, Resize, Tensor, with_threads};

use crate::oracle::{at, indices, rng, tabulate, whole};

const MODES: [Interpolation; 3] = [
    Interpolation::Nearest,
    Interpolation::Linear { align_corners: false },
    Interpolation::Linear { align_corners: true },
];

/// The weight of input `i` of `input` in output `o` of `output`: 1 for the nearest, or a hat of width 1 around
/// the place.
fn weight(mode: Interpolation, i: usize, input: usize, o: usize, output: usize, factor: Option<f64>) -> f64 {
    let step = factor.map_or(input as f64 / output as f64, |factor| 1.0 / factor);
    let border = (input - 1) as f64;
    let place = match mode {
        // The tiny term takes what the step's rounding may have lost.
        Interpolation::Nearest => {
            return f64::from(i as f64 == (o as f64 * step + 1e-9).floor().min(border));
        }
        Interpolation::Linear { align_corners: false } => ((o as f64 + 0.5) * step - 0.5).clamp(0.0, border),
        Interpolation::Linear { align_corners: true } if output == 1 => 0.0,
        Interpolation::Linear { align_corners: true } => o as f64 * border / (output - 1) as f64,
    };
    (1.0 - (i as f64 - place).abs()).max(0.0)
}

fn naive<const D: usize>(
    x: &Tensor<f64>,
    output: &[usize],
    mode: Interpolation,
    factor: Option<[f64; D]>,
) -> Tensor<f64> {
    tabulate(output, |o| {
        let planes = indices(&x.shape()[2..]).map(|i| {
            let along = |axis: usize| {
                let extents = (x.shape()[axis + 2], output[axis + 2]);
                weight(mode, i[axis], extents.0, o[axis + 2], extents.1, factor.map(|factor| factor[axis]))
            };
            let index = [&o[..2], &i[..]].concat();
            (0..D).map(along).product::<f64>() * at(x, &index)
        });
        planes.sum()
    })
}

#[track_caller]
fn assert_near(found: &Tensor<f64>, expected: &Tensor<f64>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9;
    assert!(found.as_slice().iter().zip(expected.as_slice()).all(near), "{what}: {found} ≠ {expected}");
}

/// All modes, to random extents and by random factors.
fn check<const D: usize>(rng: &mut StdRng) {
    let extents = |rng: &mut StdRng| [0; D].map(|_| rng.random_range(1..=6));
    for mode in MODES {
        let (input, size) = (extents(rng), extents(rng));
        let shape: Vec<usize> = [2, 3].into_iter().chain(input).collect();
        let x: Tensor<f64> = whole(&shape, rng);
        let sized = Resampling::new("test", &shape, Resize::Size(size), mode).unwrap();
        assert_eq!(sized.output()[2..], size);
        let what = format!("{input:?} to {size:?}, {mode:?}");
        assert_near(&sized.of(&x).unwrap(), &naive::<D>(&x, sized.output(), mode, None), &what);

        let factor = [0.0; D].map(|_| rng.random_range(1.0..2.6));
        let what = format!("{input:?} by {factor:?}, {mode:?}");
        let scaled = |recompute| {
            Resampling::new("test", &shape, Resize::ScaleFactor { factor, recompute }, mode).unwrap()
        };
        let output = scaled(false).output().clone();
        let floors: Vec<usize> =
            input.iter().zip(factor).map(|(&h, f)| (h as f64 * f).floor() as usize).collect();
        assert_eq!(output[2..], floors, "{what}");
        assert_near(&scaled(false).of(&x).unwrap(), &naive(&x, &output, mode, Some(factor)), &what);
        assert_near(&scaled(true).of(&x).unwrap(), &naive::<D>(&x, &output, mode, None), &what);
    }
}

#[test]
fn each_output_is_the_sum_of_the_inputs_that_its_place_gives_weight_to() {
    let rng = &mut rng(90);
    for _ in 0..12 {
        check::<1>(rng);
        check::<2>(rng);
        check::<3>(rng);
    }
}

#[test]
fn spreading_is_the_adjoint_of_resampling() {
    let rng = &mut rng(91);
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>| a.mul(b).unwrap().sum(..).unwrap().item().unwrap();
    for _ in 0..40 {
        for mode in MODES {
            let [input, size] = [0; 2].map(|_| [0; 3].map(|_| rng.random_range(1..=6)));
            let shape: Vec<usize> = [2, 2].into_iter().chain(input).collect();
            let geo = Resampling::new("test", &shape, Resize::Size(size), mode).unwrap();
            let (x, g) = (whole(&shape, rng), whole(geo.output(), rng));
            let (forward, backward) = (dot(&geo.of(&x).unwrap(), &g), dot(&x, &geo.spread(&g).unwrap()));
            assert!((forward - backward).abs() < 1e-9, "{forward} ≠ {backward}: {geo:?}");
        }
    }
}

#[test]
fn the_nearest_input_is_exact_where_its_place_is_an_integer() {
    for input in 1..=60usize {
        let x = Tensor::<f32>::arange(input).unwrap().reshape_to([1, 1, input]).unwrap();
        for output in 1..=120 {
            let resize = Resize::Size([output]);
            let geo = Resampling::new("test", x.shape(), resize, Interpolation::Nearest).unwrap();
            let expected: Vec<f32> = (0..output).map(|o| (o * input / output) as f32).collect();
            assert_eq!(geo.of(&x).unwrap().to_vec(), expected, "{input} to {output}");
        }
    }
}

#[test]
fn an_infinite_neighbour_without_weight_stays_out() {
    let x = Tensor::from([[[1.0, f64::INFINITY, 3.0]]]);
    for mode in MODES {
        let geo = Resampling::new("test", x.shape(), Resize::Size([3]), mode).unwrap();
        assert_eq!(geo.of(&x).unwrap(), x);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let x = Tensor::<f32>::randn([5, 7, 31, 23], &mut rng(92)).unwrap();
    let mode = Interpolation::Linear { align_corners: false };
    let geo = Resampling::new("test", x.shape(), Resize::Size([45, 40]), mode).unwrap();
    let on = |threads: usize| {
        with_threads(threads, || {
            let y = geo.of(&x).unwrap();
            (geo.spread(&y).unwrap(), y)
        })
        .unwrap()
    };
    let alone = on(1);
    assert!(alone == on(2) && alone == on(3));
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    let linear = Interpolation::Linear { align_corners: false };
    let by = |input: &[usize], factor: [f64; 2]| {
        let resize = Resize::ScaleFactor { factor, recompute: false };
        Resampling::new("t", input, resize, linear).map_err(|error| error.fact().to_owned())
    };
    for factor in [f64::NAN, f64::INFINITY, -f64::INFINITY, -1.0, 0.0, -0.0, 1e300] {
        let text = format!("scale factor {factor} at axis -1 of extent 3 (expected a positive number)");
        assert_eq!(by(&[1, 2, 3, 3], [1.0, factor]).unwrap_err(), text);
    }
    let nothing = "3 to 0 elements at axis -2 (expected at least 1 of both)";
    assert_eq!(by(&[1, 2, 3, 3], [0.1, 1.0]).unwrap_err(), nothing);
    assert!(by(&[1, 2, 3, 3], [1e9, 1e9]).is_err(), "too many elements");
    let to = |input: &[usize], size: [usize; 2]| {
        Resampling::new("t", input, Resize::Size(size), linear).map_err(|error| error.fact().to_owned())
    };
    assert!(to(&[1, 2, 0, 3], [4, 4]).is_err() && to(&[1, 2, 3, 3], [usize::MAX; 2]).is_err());
    assert_eq!(
        to(&[2, 3, 3], [4, 4]).unwrap_err(),
        "input [2, 3, 3] has 3 axes (expected 4: batch, channels and 2 more)"
    );
    assert_eq!(
        to(&[1, 0, 3, 3], [4, 4]).unwrap_err(),
        "input [1, 0, 3, 3] has no channels (expected at least 1)"
    );
    // 2⁴⁴ elements, which can be addressed but which no memory holds.
    let geo = to(&[1, 1, 3, 3], [1 << 22; 2]).unwrap();
    let error = geo.of(&Tensor::<f32>::zeros([1, 1, 3, 3]).unwrap()).unwrap_err();
    assert_eq!(error.fact(), "there is no memory for shape [1, 1, 4194304, 4194304] of f32");
}

#[test]
fn an_empty_batch_of_enormous_planes_is_resampled_at_once() {
    let linear = Interpolation::Linear { align_corners: true };
    let geo = Resampling::new("t", &[0, 1, 1 << 45], Resize::Size([1 << 46]), linear).unwrap();
    let x = Tensor::<f32>::zeros([0, 1, 1 << 45]).unwrap();
    let y = geo.of(&x).unwrap();
    assert_eq!(*y.shape(), [0, 1, 1 << 46]);
    assert_eq!(geo.spread(&y).unwrap(), x);
}

#[test]
fn a_plane_that_turns_from_high_to_wide_is_never_larger_in_between() {
    // A square in between would have 2⁴⁰ elements.
    let long = 1 << 20;
    let mode = Interpolation::Nearest;
    let geo = Resampling::new("t", &[1, 1, long, 1], Resize::Size([1, long]), mode).unwrap();
    let y = geo.of(&Tensor::<f32>::ones([1, 1, long, 1]).unwrap()).unwrap();
    assert!(y.as_slice().iter().all(|&y| y == 1.0));
    assert_eq!(geo.spread(&y).unwrap().get(&[0, 0, 0, 0]), Some(long as f32));
}
