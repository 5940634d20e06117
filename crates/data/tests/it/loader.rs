use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use retrograd_data::{DataLoader, Dataset};
use retrograd_tensor::Shape;

/// `len` examples of which each is its own label, and panics at one of them if asked to.
struct Numbers {
    len: usize,
    panic_at: Option<usize>,
    loaded: AtomicUsize,
    seeds: Mutex<Vec<(usize, u64)>>,
}

fn numbers(len: usize) -> Arc<Numbers> {
    Arc::new(Numbers { len, panic_at: None, loaded: AtomicUsize::new(0), seeds: Mutex::default() })
}

impl Dataset for Numbers {
    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> Shape {
        [2, 3].into()
    }

    fn example(&self, index: usize, seed: u64, out: &mut [f32]) -> i64 {
        if self.panic_at == Some(index) {
            panic!("example {index} is broken");
        }
        self.loaded.fetch_add(1, Ordering::SeqCst);
        self.seeds.lock().unwrap().push((index, seed));
        out.fill(index as f32);
        index as i64
    }
}

fn order(loader: &DataLoader, epoch: u64) -> Vec<i64> {
    loader.epoch(epoch).flat_map(|(_, labels)| labels.as_slice().to_vec()).collect()
}

#[test]
fn batches_come_in_order_with_the_rest_in_the_last() {
    let loader = DataLoader::new(numbers(7), 3).unwrap();
    let batches: Vec<_> = loader.epoch(0).collect();
    assert_eq!(batches.len(), 3);
    for ((images, labels), (first, len)) in batches.iter().zip([(0, 3), (3, 3), (6, 1)]) {
        assert_eq!(images.shape()[..], [len, 2, 3]);
        assert_eq!(labels.shape()[..], [len]);
        for (row, &label) in images.as_slice().chunks(6).zip(labels.as_slice()) {
            assert_eq!(row, [label as f32; 6]);
        }
        assert_eq!(labels.as_slice()[0], first);
    }
}

#[test]
fn the_rest_is_left_out_on_demand() {
    let loader = DataLoader::new(numbers(7), 3).unwrap().drop_last(true);
    assert_eq!(order(&loader, 0), [0, 1, 2, 3, 4, 5]);
    assert_eq!(loader.len(), 2);
    assert_eq!(DataLoader::new(numbers(6), 3).unwrap().drop_last(true).len(), 2);
}

#[test]
fn a_batch_larger_than_the_set_holds_all_of_it() {
    let loader = DataLoader::new(numbers(5), usize::MAX).unwrap();
    assert_eq!((loader.len(), order(&loader, 0).len()), (1, 5));
    let loader = loader.drop_last(true);
    assert!(loader.is_empty() && order(&loader, 0).is_empty());
}

#[test]
fn an_empty_set_has_no_batches() {
    let loader = DataLoader::new(numbers(0), 3).unwrap().shuffle(1);
    assert!(loader.is_empty());
    assert!(loader.epoch(0).next().is_none());
}

#[test]
fn a_batch_of_nothing_is_refused_with_the_callers_line() {
    let error = DataLoader::new(numbers(5), 0).unwrap_err().to_string();
    assert!(error.contains("at least one example") && error.contains("loader.rs"), "{error}");
}

#[test]
fn a_shape_that_cannot_be_addressed_is_refused() {
    struct Shaped([usize; 2]);
    impl Dataset for Shaped {
        fn len(&self) -> usize {
            usize::MAX
        }
        fn shape(&self) -> Shape {
            self.0.into()
        }
        fn example(&self, _: usize, _: u64, _: &mut [f32]) -> i64 {
            unreachable!()
        }
    }
    assert!(DataLoader::new(Shaped([usize::MAX, 2]), 1).is_err());
    assert!(DataLoader::new(Shaped([1 << 30, 1]), 1 << 40).is_err());
    assert!(DataLoader::new(Shaped([0, 3]), 1).is_err());
}

#[test]
fn the_same_seed_and_epoch_give_the_same_order() {
    let loader = || DataLoader::new(numbers(100), 7).unwrap().shuffle(42);
    assert_eq!(order(&loader(), 3), order(&loader(), 3));
    let resumed = loader();
    let first_run: Vec<_> = (0..4).map(|epoch| order(&resumed, epoch)).collect();
    assert_eq!(order(&loader(), 2), first_run[2]);
}

#[test]
fn every_epoch_and_every_seed_has_an_order_of_its_own() {
    let mut orders = HashSet::new();
    for seed in [0, 1, 2, u64::MAX] {
        let loader = DataLoader::new(numbers(100), 7).unwrap().shuffle(seed);
        for epoch in 0..5 {
            let order = order(&loader, epoch);
            assert_eq!(order.iter().collect::<HashSet<_>>().len(), 100, "every example once");
            orders.insert(order);
        }
    }
    assert_eq!(orders.len(), 20);
}

#[test]
fn the_order_does_not_depend_on_the_size_of_the_batches() {
    let with = |batch| order(&DataLoader::new(numbers(50), batch).unwrap().shuffle(9), 1);
    assert_eq!(with(4), with(50));
}

#[test]
fn an_example_has_a_seed_of_its_own_in_every_epoch_and_the_same_again_when_it_is_repeated() {
    let data = numbers(20);
    let loader = DataLoader::new(data.clone(), 4).unwrap().shuffle(5);
    let seeds = |epoch| {
        order(&loader, epoch);
        let mut seeds = std::mem::take(&mut *data.seeds.lock().unwrap());
        seeds.sort();
        seeds
    };
    let (first, second, again) = (seeds(0), seeds(1), seeds(0));
    assert_eq!(first, again);
    assert_eq!(first.iter().chain(&second).map(|(_, seed)| seed).collect::<HashSet<_>>().len(), 40);
}

#[test]
fn the_iterator_knows_how_many_batches_remain() {
    let mut epoch = DataLoader::new(numbers(10), 3).unwrap().epoch(0);
    for remaining in (0..4).rev() {
        assert!(epoch.next().is_some());
        assert_eq!((epoch.len(), epoch.size_hint()), (remaining, (remaining, Some(remaining))));
    }
    assert!(epoch.next().is_none() && epoch.next().is_none());
}

#[test]
fn batches_are_prepared_ahead_but_no_more_than_two() {
    let data = numbers(100);
    let mut epoch = DataLoader::new(data.clone(), 1).unwrap().epoch(0);
    epoch.next();
    let loaded = || data.loaded.load(Ordering::SeqCst);
    for _ in 0..500 {
        if loaded() == 3 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(loaded(), 3);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(loaded(), 3);
}

#[test]
fn dropping_an_epoch_early_ends_its_thread() {
    let data = numbers(1000);
    for taken in 0..20 {
        let loader = DataLoader::new(data.clone(), 1).unwrap();
        assert_eq!(loader.epoch(0).take(taken).count(), taken);
        drop(loader);
        assert_eq!(Arc::strong_count(&data), 1, "the thread has let go of the data");
    }
}

#[test]
fn finishing_an_epoch_ends_its_thread() {
    let data = numbers(10);
    let mut epoch = DataLoader::new(data.clone(), 4).unwrap().epoch(0);
    assert_eq!(epoch.by_ref().count(), 3);
    drop(epoch);
    assert_eq!(Arc::strong_count(&data), 1);
}

#[test]
fn several_epochs_can_run_at_once() {
    let loader = DataLoader::new(numbers(20), 3).unwrap().shuffle(1);
    let pairs = loader.epoch(0).zip(loader.epoch(0));
    assert!(pairs.into_iter().all(|(a, b)| a.1.as_slice() == b.1.as_slice()));
}

#[test]
fn a_panic_in_the_data_set_reaches_the_caller_at_the_batch_that_it_concerns() {
    let data = Numbers { panic_at: Some(7), ..Arc::into_inner(numbers(10)).unwrap() };
    let mut epoch = DataLoader::new(data, 3).unwrap().epoch(0);
    assert_eq!(epoch.next().unwrap().1.as_slice(), [0, 1, 2]);
    assert_eq!(epoch.next().unwrap().1.as_slice(), [3, 4, 5]);
    let panic = catch_unwind(AssertUnwindSafe(|| epoch.next().is_some())).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "example 7 is broken");
    assert!(epoch.next().is_none(), "a broken epoch has ended");
}

#[test]
fn a_panic_over_a_batch_that_nobody_asked_for_is_none_of_the_callers_concern() {
    let data = Numbers { panic_at: Some(1), ..Arc::into_inner(numbers(10)).unwrap() };
    assert_eq!(DataLoader::new(data, 1).unwrap().epoch(0).take(1).count(), 1);
}
