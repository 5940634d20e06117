//! Models in files, through the facade.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use retrograd::data::{AnyTensor, read_tensors, write_tensors};
use retrograd::prelude::*;
use retrograd::save_with;

/// A path of its own for a test; what is there is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("retrograd-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

struct Net<T: Float = f32> {
    features: Vec<Conv2d<T>>,
    fc: Linear<T>,
    mean: Buffer<T>,
}
module!(Net<T> { features, fc, mean });

fn net<T: Float>(seed: u64) -> Net<T> {
    let rng = &mut StdRng::seed_from_u64(seed);
    Net {
        features: vec![
            Conv2d::new(1, 2, 3).build(rng).unwrap(),
            Conv2d::new(2, 2, 3).bias(false).build(rng).unwrap(),
        ],
        fc: Linear::new(8, 3).build(rng).unwrap(),
        mean: Buffer::new(Tensor::full([2], T::from_f64(seed as f64)).unwrap()),
    }
}

/// Paths, shapes and the bits of all elements.
fn state(model: &Net) -> Vec<(String, Shape, Vec<u32>)> {
    let bits = |tensor: &Tensor| tensor.to_vec().into_iter().map(f32::to_bits).collect();
    model
        .state_dict()
        .into_iter()
        .map(|(path, tensor)| (path, tensor.shape().clone(), bits(&tensor)))
        .collect()
}

/// Loading fails with this text after the file's name, and the model is unchanged.
#[track_caller]
fn refused(file: &Scratch, model: &mut Net, text: &str) {
    let before = state(model);
    let error = load(model, &file.0).expect_err("it cannot be loaded");
    assert_eq!(error.to_string(), text.replace("FILE", &file.0.display().to_string()));
    assert_eq!(state(model), before, "the model has changed");
}

#[test]
fn what_is_saved_is_loaded_bit_by_bit() {
    let file = Scratch::new();
    let (mut source, mut target) = (net(1), net(2));
    let strange = [f32::NAN, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 4.0, 1.0 / 3.0];
    source.fc.weight.value_mut().make_mut()[..5].copy_from_slice(&strange);
    assert_ne!(state(&target), state(&source));
    save(&source, &file.0).unwrap();
    assert_eq!(load(&mut target, &file.0).unwrap(), BTreeMap::new());
    assert_eq!(state(&target), state(&source));
}

#[test]
fn the_keys_in_the_file_are_pytorchs() {
    let file = Scratch::new();
    save(&net::<f32>(1), &file.0).unwrap();
    let tensors = read_tensors(&file.0).unwrap().tensors;
    let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["features.0.weight", "features.0.bias", "features.1.weight", "fc.weight", "fc.bias", "mean"]
    );
}

#[test]
fn texts_travel_in_the_header() {
    let file = Scratch::new();
    let about = BTreeMap::from([
        ("epoch".to_string(), "7".to_string()),
        ("größe".to_string(), "\"8×8\"\n".to_string()),
    ]);
    save_with(&net::<f32>(1), &file.0, &about).unwrap();
    assert_eq!(load(&mut net::<f32>(2), &file.0).unwrap(), about);
}

#[test]
fn numbers_of_another_precision_are_rounded() {
    let file = Scratch::new();
    let (precise, mut rounded) = (net::<f64>(1), net::<f32>(2));
    save(&precise, &file.0).unwrap();
    load(&mut rounded, &file.0).unwrap();
    for ((path, precise), (_, rounded)) in std::iter::zip(precise.state_dict(), rounded.state_dict()) {
        assert_eq!(rounded, precise.cast(), "{path}");
    }
    save(&rounded, &file.0).unwrap();
    let mut back = net::<f64>(3);
    load(&mut back, &file.0).unwrap();
    assert_eq!(back.fc.weight.value(), &rounded.fc.weight.value().cast(), "and widened exactly");
}

#[test]
fn a_tensor_of_integers_is_refused() {
    let file = Scratch::new();
    let mut tensors: Vec<(String, AnyTensor)> =
        net::<f32>(1).state_dict().into_iter().map(|(name, tensor)| (name, tensor.into())).collect();
    tensors[5].1 = Tensor::from([1i64, 2]).into();
    write_tensors(&file.0, tensors, &BTreeMap::new()).unwrap();
    refused(&file, &mut net(2), "load: FILE: `mean` holds integers, expected floating-point numbers");
}

#[test]
fn how_many_batches_were_tracked_is_an_integer_in_the_file() {
    let file = Scratch::new();
    let mut layer: BatchNorm2d = BatchNorm2d::new(2).unwrap();
    let tape = Tape::new();
    for _ in 0..3 {
        layer.forward(&tape.constant(Tensor::ones([1, 2, 3, 3]).unwrap())).unwrap();
    }
    layer.update_buffers(&tape.take_updates()).unwrap();
    save(&layer, &file.0).unwrap();
    let mut tensors = read_tensors(&file.0).unwrap().tensors;
    let at = tensors.iter().position(|(name, _)| name == "num_batches_tracked").unwrap();
    let (name, count) = tensors.swap_remove(at);
    assert_eq!(count, AnyTensor::I64(Tensor::scalar(3)));
    let mut loaded: BatchNorm2d = BatchNorm2d::new(2).unwrap();
    load(&mut loaded, &file.0).unwrap();
    assert_eq!(loaded.state_dict(), layer.state_dict());

    let path = file.0.display();
    for (count, found) in [
        (Tensor::scalar(3.0f32).into(), "floating-point numbers, expected an integer"),
        (AnyTensor::I64(Tensor::scalar(-1)), "a negative count, expected one of at least 0"),
    ] {
        let all: Vec<_> = tensors.iter().cloned().chain([(name.clone(), count)]).collect();
        write_tensors(&file.0, all, &BTreeMap::new()).unwrap();
        let error = load(&mut loaded, &file.0).unwrap_err();
        assert_eq!(error.to_string(), format!("load: {path}: `num_batches_tracked` holds {found}"));
        assert_eq!(loaded.state_dict(), layer.state_dict(), "the model has changed");
    }
}

#[test]
fn the_file_of_another_model_is_refused_with_all_that_is_wrong() {
    let file = Scratch::new();
    let rng = &mut StdRng::seed_from_u64(0);
    let other: Net = Net {
        features: vec![Conv2d::new(1, 2, 5).bias(false).build(rng).unwrap()],
        fc: Linear::new(8, 3).build(rng).unwrap(),
        mean: Buffer::new(Tensor::zeros([2]).unwrap()),
    };
    save(&other, &file.0).unwrap();
    let text = "load: FILE is of another model: \
                `features.0.weight` has shape [2, 1, 5, 5], not [2, 1, 3, 3]; \
                `features.0.bias` [2] is missing; `features.1.weight` [2, 2, 3, 3] is missing";
    refused(&file, &mut net(2), text);
    save(&net::<f32>(1), &file.0).unwrap();
    let mut linear: Linear = Linear::new(8, 3).bias(false).build(rng).unwrap();
    let error = load(&mut linear, &file.0).unwrap_err();
    assert!(
        error.fact().contains("`weight` [3, 8] is missing; the model has no `features.0.weight`"),
        "{error}"
    );
}

#[test]
fn a_damaged_or_missing_file_leaves_the_model_unchanged() {
    let file = Scratch::new();
    refused(&file, &mut net(2), "read_tensors: FILE: No such file or directory (os error 2)");
    save(&net::<f32>(1), &file.0).unwrap();
    let whole = std::fs::read(&file.0).unwrap();
    let before = state(&net(2));
    for length in [0, 7, 8, 100, whole.len() - 1] {
        std::fs::write(&file.0, &whole[..length]).unwrap();
        let mut model = net(2);
        let error = load(&mut model, &file.0).expect_err("it is cut short");
        assert!(error.to_string().contains(&file.0.display().to_string()), "{error}");
        assert_eq!(state(&model), before, "cut at {length}");
    }
}

#[test]
fn saving_where_there_is_no_directory_names_the_file() {
    let path = std::env::temp_dir().join("retrograd-no-such-directory").join("model.safetensors");
    let error = save(&net::<f32>(1), &path).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_training_resumed_from_files_takes_the_same_steps() {
    let (model_file, optimizer_file) = (Scratch::new(), Scratch::new());
    let step = |model: &mut Net, optimizer: &mut Adam, image: f32| {
        let x = Tape::new().constant(Tensor::full([2, 1, 6, 6], image).unwrap());
        let y =
            model.features.iter().try_fold(x, |x, layer| Ok::<_, Error>(layer.forward(&x)?.tanh())).unwrap();
        let loss = model.fc.forward(&y.flatten(1).unwrap()).unwrap().square().sum(..).unwrap();
        optimizer.step(model, &loss.backward().unwrap()).unwrap();
    };
    let (mut model, mut optimizer) = (net(1), Adam::new(0.01));
    step(&mut model, &mut optimizer, 0.3);
    save(&model, &model_file.0).unwrap();
    save_state(optimizer.state_dict(&model), &optimizer_file.0).unwrap();
    step(&mut model, &mut optimizer, -0.7);

    let (mut resumed, mut again) = (net(2), Adam::new(0.01));
    load(&mut resumed, &model_file.0).unwrap();
    again.load_state_dict(&resumed, &load_state(&optimizer_file.0).unwrap()).unwrap();
    step(&mut resumed, &mut again, -0.7);
    assert_eq!(state(&resumed), state(&model));
    assert_eq!(again.state_dict(&resumed), optimizer.state_dict(&model));
}
