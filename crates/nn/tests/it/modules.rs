//! Paths, state, freezing.

use std::sync::atomic::{AtomicBool, Ordering};

use retrograd_nn::{
    Adam, AdamW, Buffer, Conv1d, Conv2d, Dropout, Item, Layer, Linear, Module, Optimizer, PReLU, Parameter,
    Path, RReLU, ReLU, Result, Sequential, Sgd, Tape, Tensor, Var, module, sequential,
};

use crate::{random, refuses, rng};

/// One of everything that a model may be made of.
struct Everything {
    stem: Conv2d,
    blocks: Vec<Block>,
    head: Option<Linear>,
    absent: Option<Linear>,
    boxed: Box<PReLU>,
    chain: Sequential,
    scale: Parameter,
    mean: Buffer,
    width: usize,
}
module!(Everything { stem, blocks, head, absent, boxed, chain, scale, mean } ignoring { width });

struct Block {
    // Declared in this order, visited in that of the macro.
    conv: Conv1d,
    act: PReLU,
}
module!(Block { act, conv });

impl Everything {
    fn new() -> Result<Self> {
        let rng = &mut rng(1);
        let block = |rng: &mut _| {
            Ok::<_, retrograd_nn::Error>(Block {
                conv: Conv1d::new(1, 1, 2).bias(false).build(rng)?,
                act: PReLU::new(1, 0.25)?,
            })
        };
        Ok(Self {
            stem: Conv2d::new(1, 2, 3).build(rng)?,
            blocks: vec![block(rng)?, block(rng)?],
            head: Some(Linear::new(2, 3).build(rng)?),
            absent: None,
            boxed: Box::new(PReLU::new(2, 0.25)?),
            chain: sequential![ReLU, sequential![Linear::new(3, 1).bias(false).build(rng)?]],
            scale: Parameter::new(Tensor::scalar(1.0)),
            mean: Buffer::new(Tensor::from([0.0, 0.0])),
            width: 2,
        })
    }
}

const PATHS: [&str; 12] = [
    "stem.weight",
    "stem.bias",
    "blocks.0.act.weight",
    "blocks.0.conv.weight",
    "blocks.1.act.weight",
    "blocks.1.conv.weight",
    "head.weight",
    "head.bias",
    "boxed.weight",
    "chain.1.0.weight",
    "scale",
    "mean",
];

fn names<V>(items: &[(String, V)]) -> Vec<&str> {
    items.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn paths_are_pytorchs_in_the_order_of_the_macro_and_what_is_absent_has_none() {
    let model = Everything::new().unwrap();
    assert_eq!(names(&model.state_dict()), PATHS);
    assert_eq!(names(&model.parameters()), PATHS[..11], "a buffer is no parameter");
    assert_eq!(model.width, 2);
}

#[test]
fn visiting_to_change_goes_the_same_way_as_visiting() {
    let mut paths = Vec::new();
    Everything::new().unwrap().visit_mut(&Path::ROOT, &mut |path, _| paths.push(path.to_string()));
    assert_eq!(paths, PATHS);
}

#[test]
fn a_parameter_alone_is_a_module_whose_path_is_empty() {
    let parameter: Parameter = Parameter::new(Tensor::scalar(1.0));
    assert_eq!(names(&parameter.parameters()), [""]);
}

#[test]
fn a_visit_tells_parameters_from_buffers() {
    let model = Everything::new().unwrap();
    let mut buffers = Vec::new();
    model.visit(&Path::ROOT, &mut |path, item| {
        if let Item::Buffer(buffer) = item {
            buffers.push((path.to_string(), buffer.value().numel()));
        }
    });
    assert_eq!(buffers, [("mean".to_string(), 2)]);
}

#[test]
fn the_number_of_parameters_counts_what_is_trained() {
    let mut model = Everything::new().unwrap();
    let all = (2 * 9 + 2) + 2 * (1 + 2) + (6 + 3) + 2 + 3 + 1;
    assert_eq!(model.num_parameters(), all);
    model.stem.freeze();
    assert_eq!(model.num_parameters(), all - 20);
    model.freeze();
    assert_eq!(model.num_parameters(), 0);
    model.unfreeze();
    assert_eq!(model.num_parameters(), all);
}

#[test]
fn a_state_goes_from_one_model_to_another_in_any_order() {
    let (source, mut target) = (Everything::new().unwrap(), Everything::new().unwrap());
    target.visit_mut(&Path::ROOT, &mut |_, item| item.value_mut().make_mut().fill(7.0));
    let identities: Vec<_> = target.parameters().iter().map(|(_, parameter)| parameter.id()).collect();
    let mut state = source.state_dict();
    assert_ne!(target.state_dict(), state);
    state.reverse();
    target.load_state_dict(&state).unwrap();
    assert_eq!(target.state_dict(), source.state_dict());
    assert!(target.parameters().iter().map(|(_, parameter)| parameter.id()).eq(identities), "the same ones");
}

#[test]
fn a_state_is_a_copy_that_training_does_not_change() {
    let mut model = Everything::new().unwrap();
    let (before, untouched) = (model.state_dict(), Everything::new().unwrap().state_dict());
    model.stem.weight.value_mut().make_mut().fill(7.0);
    assert_eq!(before, untouched);
}

#[test]
fn all_that_is_wrong_with_a_state_is_listed_and_the_model_is_unchanged() {
    let mut model: Linear = Linear::new(3, 2).build(&mut rng(0)).unwrap();
    let before = model.state_dict();
    let zeros = |name: &str, shape: &[usize]| (name.to_string(), Tensor::zeros(shape).unwrap());
    let (weight, bias) = (zeros("weight", &[2, 3]), zeros("bias", &[2]));
    let table = [
        (vec![weight.clone()], "`bias` [2] is missing"),
        (vec![weight.clone(), bias.clone(), zeros("slope", &[4])], "the model has no `slope` [4]"),
        (vec![weight.clone(), bias.clone(), weight.clone()], "`weight` occurs more than once"),
        (
            vec![bias.clone(), zeros("a", &[1]), bias.clone(), zeros("a", &[2])],
            "`weight` [2, 3] is missing; the model has no `a` [1]; the model has no `a` [2]; \
             `a` occurs more than once; `bias` occurs more than once",
        ),
        (vec![zeros("weight", &[3, 2]), bias], "`weight` has shape [3, 2], not [2, 3]"),
        (
            vec![zeros("fc.bias", &[2]), zeros("weight", &[6]), zeros("fc.weight", &[])],
            "`weight` has shape [6], not [2, 3]; `bias` [2] is missing; the model has no `fc.bias` [2]; \
             the model has no `fc.weight` []",
        ),
    ];
    for (state, fact) in table {
        refuses(model.load_state_dict(&state), &format!("load_state_dict: {fact}"));
        assert_eq!(model.state_dict(), before, "{fact}");
    }
}

#[test]
fn frozen_layers_get_no_gradient_and_no_optimizer_changes_them() {
    fn trains_only_the_rest(mut optimizer: impl Optimizer) {
        let rng = &mut rng(3);
        let mut model =
            [Linear::new(2, 2).build(rng).unwrap(), Linear::new(2, 1).build(rng).unwrap()].to_vec();
        model[0].freeze();
        let before = model.state_dict();
        let x = Tape::new().constant(Tensor::ones([1, 2]).unwrap());
        let y = model[1].forward(&model[0].forward(&x).unwrap()).unwrap();
        let gradients = y.sum(..).unwrap().backward().unwrap();
        assert!(gradients.get(&model[0].weight).is_none() && gradients.get(&model[1].weight).is_some());
        optimizer.step(&mut model, &gradients).unwrap();
        let changed: Vec<bool> = std::iter::zip(before, model.state_dict()).map(|(a, b)| a != b).collect();
        assert_eq!(changed, [false, false, true, true]);
    }
    trains_only_the_rest(Sgd::new(0.1).momentum(0.9).weight_decay(0.1));
    trains_only_the_rest(Adam::new(0.1).weight_decay(0.1));
    trains_only_the_rest(AdamW::new(0.1));
}

#[test]
fn freezing_after_the_gradients_were_computed_still_keeps_the_parameter() {
    let mut layer: Linear = Linear::new(2, 1).build(&mut rng(3)).unwrap();
    let x = Tape::new().constant(Tensor::ones([1, 2]).unwrap());
    let gradients = layer.forward(&x).unwrap().sum(..).unwrap().backward().unwrap();
    layer.weight.freeze();
    let weight = layer.weight.value().clone();
    Sgd::new(0.1).step(&mut layer, &gradients).unwrap();
    assert_eq!(layer.weight.value(), &weight);
}

/// Finds out in which mode it was called.
#[derive(Default)]
struct Probe {
    evaluated_off_tape: AtomicBool,
}
module!(Probe {} ignoring { evaluated_off_tape });

impl Layer for Probe {
    fn forward(&self, x: &Var) -> Result<Var> {
        self.evaluated_off_tape.store(x.tape().is_none() && !x.is_training(), Ordering::Relaxed);
        Ok(x.clone())
    }
}

#[test]
fn predict_runs_off_any_tape_and_gives_what_an_evaluating_tape_gives() {
    let probe = Probe::default();
    probe.predict(&Tensor::scalar(1.0)).unwrap();
    assert!(probe.evaluated_off_tape.load(Ordering::Relaxed));

    let rng = &mut rng(5);
    let model = Sequential::<f64>::new()
        .then(Linear::new(4, 8).build(rng).unwrap())
        .then(Dropout::new(0.5).unwrap())
        .then(RReLU::default());
    let x = random([3, 4], 6);
    let on_tape = model.forward(&Tape::new().eval().constant(x.clone())).unwrap();
    assert_eq!(&model.predict(&x).unwrap(), on_tape.value());
}

#[test]
fn an_empty_chain_is_the_identity() {
    let chain = Sequential::<f64>::new();
    assert!(chain.is_empty() && chain.parameters().is_empty());
    assert_eq!(chain.predict(&random([2, 3], 0)).unwrap(), random([2, 3], 0));
}

#[test]
fn an_error_in_a_chain_names_the_layers_number_and_the_line_of_the_call() {
    let rng = &mut rng(0);
    let inner: Sequential = sequential![ReLU, Linear::new(3, 4).build(rng).unwrap()];
    let chain = sequential![Linear::new(2, 5).build(rng).unwrap(), inner];
    let wrong = "1.1: linear: expected x [..., in], weight [out, in], bias [out], found x [1, 5] and weight \
                 [4, 3] and bias [4] (5 ≠ 3)";
    refuses(chain.predict(&Tensor::zeros([1, 2]).unwrap()), wrong);
    refuses(chain.forward(&Tensor::zeros([1, 2]).unwrap().into()), wrong);
    let boxed: Box<dyn Layer> = Box::new(chain);
    refuses(boxed.forward(&Tensor::zeros([1, 2]).unwrap().into()), wrong);
}
