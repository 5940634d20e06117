//! The memory of a training. The counters are the whole process's, so that this test is alone in its binary.

// Of the networks of the benches, this needs one.
#[allow(dead_code)]
#[path = "../benches/networks/mod.rs"]
mod networks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use retrograd::prelude::*;
use retrograd::tensor::{memory_use, simd};

/// The system's allocator, and how often it was asked for a block.
struct Counting;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many pages of memory the process has touched for the first time, where the system tells: the tenth field of its
/// line, the second of which, a name in brackets, may hold blanks.
fn page_faults() -> Option<u64> {
    let line = std::fs::read_to_string("/proc/self/stat").ok()?;
    line.rsplit_once(')')?.1.split_whitespace().nth(7)?.parse().ok()
}

#[test]
fn a_training_step_of_lenet_in_steady_state_asks_the_system_for_no_tensor_memory_and_for_two_small_blocks() {
    let mut model = (networks::LENET.build)(&mut StdRng::seed_from_u64(42)).unwrap();
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    let tape = Tape::seeded(42);
    let images = Tensor::randn([32, 1, 28, 28], &mut StdRng::seed_from_u64(1)).unwrap();
    let labels = Tensor::from_vec((0..32).map(|i| i % 10).collect(), [32]).unwrap();
    let mut step = || -> Result<f32> {
        tape.clear();
        let loss = model.forward(&tape.constant(images.clone()))?.cross_entropy(&labels)?;
        optimizer.step(&mut model, &loss.backward()?)?;
        loss.item()
    };
    let first = step().unwrap();
    // How many kernels' scratch is in use at once depends on how the threads meet, seldom for the first time later on.
    for _ in 0..15 {
        step().unwrap();
    }
    let (before, blocks, faults) = (memory_use(), BLOCKS.load(Ordering::Relaxed), page_faults());
    for _ in 0..20 {
        step().unwrap();
    }
    let faults = page_faults().zip(faults).map(|(after, before)| after - before);
    let (after, blocks) = (memory_use(), BLOCKS.load(Ordering::Relaxed) - blocks);
    // A step makes dozens of tensors; if they were asked for anew, there would be hundreds of requests by now.
    let requests = after.system_requests - before.system_requests;
    assert!(requests <= 2, "{requests} requests in 20 steps");
    // The list of gradients, and the loss, which holds the targets; more only as threads meet for the first time. At
    // the portable level `matrixmultiply` has memory of its own for each product.
    if simd::level() > simd::Level::Portable {
        assert!(blocks <= 2 * 20 + 10, "{blocks} blocks in 20 steps");
    }
    // The tensors of a step fill hundreds of pages; a block that threads ask for when they meet, tens.
    if let Some(faults) = faults {
        assert!(faults <= 100, "{faults} page faults in 20 steps");
    }
    assert_eq!(after.live, before.live, "nothing stays behind after a step");
    assert!(step().unwrap() < first, "it does train");
}
