//! Unpooling, against a loop over all elements in row-major order.

use rand::RngExt;
use retrograd_tensor::{Pooling, Tensor, Unpooling, Window, with_threads};

use crate::oracle::{rng, whole};

#[test]
fn elements_stand_where_their_indices_say_the_last_of_several_and_the_rest_is_zero() {
    let rng = &mut rng(95);
    for _ in 0..100 {
        let [n, c, h, w] = [0; 4].map(|_| rng.random_range(1..=4));
        let window = Window { padding: [0, 1], ..Window::from([2, 3]) };
        let geo = Unpooling::new("test", &[n, c, h, w], window, None).unwrap();
        assert_eq!(*geo.output(), [n, c, 2 * h, 3 * w - 2]);
        let (inputs, outputs) = (h * w, 2 * h * (3 * w - 2));
        let x: Tensor<f64> = whole(geo.input(), rng);
        let index: Vec<i64> = (0..x.numel()).map(|_| rng.random_range(0..outputs as i64)).collect();
        let mut expected = vec![0.0; geo.output().numel()];
        for (at, (&x, &place)) in x.as_slice().iter().zip(&index).enumerate() {
            expected[at / inputs * outputs + place as usize] = x;
        }
        let index = Tensor::from_vec(index, geo.input()).unwrap();
        assert_eq!(geo.put(&index, &x).unwrap().to_vec(), expected);
    }
}

#[test]
fn what_windows_side_by_side_found_comes_back_to_its_place() {
    let x: Tensor<f64> = whole(&[2, 3, 6, 9], &mut rng(96));
    let window = Window::from([2, 3]);
    let (y, index) = Pooling::max("test", x.shape(), window, [1; 2]).unwrap().max_with_places(&x).unwrap();
    let back =
        Unpooling::new("test", y.shape(), window, None).unwrap().put(&index.map(i64::from), &y).unwrap();
    assert_eq!(back.shape(), x.shape());
    let (found, lost) = (back.as_slice().iter().zip(x.as_slice()), 2 * 3 * 6 * 9 - y.numel());
    assert!(found.clone().all(|(&back, &x)| back == x || back == 0.0));
    assert!(found.filter(|&(&back, _)| back == 0.0).count() >= lost);
}

#[test]
fn the_number_of_threads_does_not_change_which_of_several_stays() {
    let rng = &mut rng(97);
    let window = Window { stride: [1, 1], ..Window::from([2, 2]) };
    let geo = Unpooling::new("test", &[8, 9, 20, 30], window, None).unwrap();
    let x: Tensor<f32> = whole(geo.input(), rng);
    let index: Vec<i64> = (0..x.numel()).map(|_| rng.random_range(0..5)).collect();
    let index = Tensor::from_vec(index, geo.input()).unwrap();
    let on = |threads: usize| with_threads(threads, || geo.put(&index, &x).unwrap()).unwrap();
    let alone = on(1);
    assert!(alone == on(2) && alone == on(3));
}

#[test]
fn what_cannot_be_unpooled_is_refused() {
    let plain = Window { kernel: [2], stride: [3], padding: [0], ceil_mode: false };
    let unpool = |h: usize, window: Window<1>, size: Option<usize>| {
        let geo = Unpooling::new("t", &[1, 1, h], window, size.map(|size| [size]));
        geo.map(|geo| geo.output()[2]).map_err(|error| error.fact().to_owned())
    };
    // (4 − 1)·3 + 2 = 11, less than 3 away.
    assert_eq!(unpool(4, plain, None), Ok(11));
    assert_eq!([9, 13].map(|size| unpool(4, plain, Some(size))), [Ok(9), Ok(13)]);
    for size in [8, 14, 0, usize::MAX] {
        let text = format!("output size {size} at axis -1 (expected 9 to 13)");
        assert_eq!(unpool(4, plain, Some(size)), Err(text));
    }
    let padded = Window { padding: [1], ..plain };
    assert_eq!(unpool(1, padded, None), Err("nothing is left at axis -1: (1 − 1)·3 − 2·1 + 2 < 1".into()));
    assert_eq!(unpool(1, padded, Some(2)), Ok(2));
    assert_eq!(unpool(1, padded, Some(0)), Err("output size 0 at axis -1 (expected 1 to 2)".into()));
    let far = Window { padding: [9], ..plain };
    assert_eq!(unpool(1, far, Some(1)), Err("output size 1 at axis -1 (none fits the window)".into()));
    let zero = |name| Err(format!("{name} 0 at axis -1 (expected at least 1)"));
    assert_eq!(unpool(0, plain, None), zero("input"));
    assert_eq!(unpool(4, Window { kernel: [0], ..plain }, None), zero("kernel"));
    assert_eq!(unpool(4, Window { stride: [0], ..plain }, None), zero("stride"));
    for huge in [usize::MAX, usize::MAX / 2, usize::MAX / 4] {
        for window in [
            Window { kernel: [huge], ..plain },
            Window { stride: [huge], ..plain },
            Window { padding: [huge], ..plain },
        ] {
            assert!(unpool(4, window, None).is_err() && unpool(4, window, Some(11)).is_err());
        }
    }
    // 2⁴² elements, which can be addressed but which no memory holds.
    let geo = Unpooling::new("t", &[1, 1, 2], Window { stride: [1 << 42], ..plain }, None).unwrap();
    let (index, x) = (Tensor::full([1, 1, 2], 0).unwrap(), Tensor::<f32>::zeros([1, 1, 2]).unwrap());
    let error = geo.put(&index, &x).unwrap_err();
    assert!(error.fact().starts_with("there is no memory for shape"), "{error}");
}
