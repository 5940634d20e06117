//! Results have the same bits at every number of threads.

use std::sync::Mutex;
use std::thread;

use retrograd_tensor::{ClassTargets, Groups, PaddingMode, Source, Tensor, keepdim, share_out, with_threads};

use crate::oracle::rng;

type Operation = (&'static str, fn(&Tensor) -> Tensor);

/// What is done in parallel above 32 Ki elements, on an input `[7, 31, 199]` of 43 183.
const OPERATIONS: &[Operation] = &[
    ("map", |x| x.map(f32::exp)),
    ("zip of one shape", |x| x.mul(x).unwrap()),
    ("zip of rows", |x| x.mul(&x.amax(keepdim(2)).unwrap()).unwrap()),
    ("zip of columns", |x| x.sub(&x.mean(keepdim([0, 1])).unwrap()).unwrap()),
    ("zip3", |x| x.zip3(x, x, |a, b, c| a * b + c)),
    ("where", |x| Tensor::where_(&x.map(|x| x > 0.0), x, &Tensor::scalar(0.5)).unwrap()),
    ("broadcast_to", |x| x.broadcast_to([2, 7, 31, 199]).unwrap()),
    ("update", |x| {
        let mut y = x.clone();
        y.update(x, |x, g| x - 0.1 * g).unwrap();
        y
    }),
    ("update_with", |x| {
        let (mut y, mut state) = (x.clone(), x.clone());
        y.update_with([&mut state], x, |x, [s], g| (x - 0.1 * s, [0.9 * s + g])).unwrap();
        y.add(&state).unwrap()
    }),
    ("sum of all", |x| x.flatten(0).unwrap().sum(..).unwrap()),
    ("sum of inner axes", |x| x.sum([1, 2]).unwrap()),
    ("sum of outer axes", |x| x.sum([0, 1]).unwrap()),
    ("sum of the middle axis", |x| x.sum(1).unwrap()),
    ("sum of a repeated tensor", |x| x.broadcast_to([3, 7, 31, 199]).unwrap().sum_to([31, 1]).unwrap()),
    ("var", |x| x.var([0, 2], 1.0).unwrap()),
    ("amax", |x| x.amax(0).unwrap()),
    ("sum of many rows", |x| x.reshape_to([7 * 31 * 199 / 7, 7]).unwrap().sum(0).unwrap()),
    ("argmax", |x| x.argmax(0).unwrap().map(|i| i as f32)),
    ("gather and scatter", |x| {
        let index = x.map(|x| x.abs() as i64);
        Tensor::scatter_add_zeros(x.shape(), -1, &index, &x.gather(-1, &index).unwrap()).unwrap()
    }),
    ("softmax of rows", |x| x.softmax(-1).unwrap()),
    ("log_softmax of columns", |x| x.log_softmax(1).unwrap()),
    ("permute", |x| x.permute(&[2, 0, 1]).unwrap()),
    ("slice", |x| {
        x.pad(&[(1, 1), (2, 0), (-1, 3)], 0.5).unwrap().slice(&[(1..).into(), (..-1).into()]).unwrap()
    }),
    ("pad_with and unpad", |x| {
        let padding = [(30, 2), (0, 198)];
        x.pad_with(&padding, PaddingMode::Reflect)
            .unwrap()
            .unpad([7, 31, 199], &padding, PaddingMode::Reflect)
            .unwrap()
    }),
    ("matmul", |x| {
        x.flatten_range(0, 1)
            .unwrap()
            .matmul(&x.slice(&[(..1).into()]).unwrap().squeeze(0).unwrap().transpose(0, 1).unwrap())
            .unwrap()
    }),
    ("norm of batches", |x| normalised(x, Groups::of_batch(x.shape()))),
    ("norm of channels", |x| normalised(x, Groups::of_channels(x.shape(), 1))),
    ("norm of rows", |x| normalised(x, Groups::of_rows(x.shape(), 1))),
    ("norm of short columns", |x| {
        let x = x.reshape_to([7 * 199, 31]).unwrap();
        normalised(&x, Groups::of_batch(x.shape()))
    }),
    ("cross_entropy of rows", |x| cross_entropy(&x.reshape_to([7 * 31, 199]).unwrap())),
    ("cross_entropy of columns", cross_entropy),
    ("batched matmul", |x| x.matmul(&x.transpose(1, 2).unwrap()).unwrap()),
];

/// Values, the mean of each group, and all three pullbacks, in one tensor.
fn normalised(x: &Tensor, groups: Groups) -> Tensor {
    let weight = Tensor::full([groups.channels()], 1.5).unwrap();
    let moments = groups.moments(x);
    let y = groups.normalise(x, &moments, 1e-5, [&weight, &weight]);
    let (gx, [gw, gb]) = groups.pull([x, &weight, &y], &moments, 1e-5, Source::Own, true);
    all([&y, &moments.mean.cast(), &moments.var.cast(), &gx.unwrap(), &gw, &gb])
}

/// The losses of logits `[n, classes, …]` and their gradient, in one tensor.
fn cross_entropy(x: &Tensor) -> Tensor {
    let classes = x.shape()[1] as f32;
    let target = x.amax(1).unwrap().map(|x| (x.abs() * 1000.0 % classes) as i64);
    let targets = ClassTargets::new("cross_entropy", x.shape(), &target, None, -100, 0.1).unwrap();
    let (losses, parts) = targets.cross_entropy(x);
    all([&losses, &targets.pullback(x, &parts, &losses)])
}

fn all<const N: usize>(tensors: [&Tensor; N]) -> Tensor {
    let values = tensors.map(|tensor| tensor.as_slice()).concat();
    let count = values.len();
    Tensor::from_vec(values, [count]).unwrap()
}

#[test]
fn every_operation_gives_the_same_bits_on_one_two_and_three_threads() {
    let x = Tensor::<f32>::randn([7, 31, 199], &mut rng(80)).unwrap();
    let on = |threads: usize| -> Vec<Vec<u32>> {
        let bits =
            |(_, operation): &Operation| operation(&x).as_slice().iter().map(|x| x.to_bits()).collect();
        with_threads(threads, || OPERATIONS.iter().map(bits).collect()).unwrap()
    };
    let alone = on(1);
    for threads in [2, 3] {
        for ((name, _), (one, several)) in OPERATIONS.iter().zip(alone.iter().zip(on(threads))) {
            assert!(*one == several, "{name} differs on {threads} threads");
        }
    }
}

#[test]
fn work_at_large_is_shared_out_once_with_kernels_inside_and_alone_within_a_task_of_rayon() {
    let x = Tensor::<f32>::randn([40_000], &mut rng(81)).unwrap();
    let expected = x.exp();
    let done = Mutex::new(Vec::new());
    let task = |i: usize| {
        assert!(x.exp() == expected);
        share_out(2, |_| assert!(x.exp() == expected));
        done.lock().unwrap().push((i, thread::current().id()));
    };
    for tasks in [0, 1, 2, 9] {
        for threads in 1..4 {
            with_threads(threads, || share_out(tasks, task)).unwrap();
            let mut order: Vec<usize> = done.lock().unwrap().drain(..).map(|(i, _)| i).collect();
            order.sort();
            assert!(order.into_iter().eq(0..tasks), "{tasks} tasks on {threads} threads");
        }
    }
    let caller = rayon::scope(|_| {
        share_out(9, task);
        thread::current().id()
    });
    assert!(done.into_inner().unwrap().into_iter().eq((0..9).map(|i| (i, caller))));
}
