// What the kernel is asked for, the memory that it works in, and where what lies.
#pragma once
#include <cstring>

#include "likelihood.hpp"
#include "product.hpp"

struct Task {
  int64_t entities, steps, features, hidden, positions, buckets, covariates, decoder, outputs;
  int64_t likelihood, direct, trained, parameters;
  const int64_t *position;
  const float *inputs, *future, *anchor, *spread, *label, *weight, *given;
  const uint8_t *is_given;
  const float *weight_ih, *weight_hh, *bias_ih, *bias_hh;
  const float *context_weight, *context_bias, *future_weight, *future_bias, *output_weight, *output_bias, *center, *scale;
  double clipping_norm, bound, lattice_step, stability;
  const double *entity_weight;
  int64_t *total;
  double *weighted_total, *norms, *losses;
  float *out, *gradients;
};
enum Trained { ALL, DECODER, OUTPUT };

// One large piece of memory, handed out from its beginning; with `base` null it only counts.
struct Arena {
  char *base;
  int64_t used;
  template <typename T>
  T *take(int64_t number) {
    T *here = (T *)(base + used);
    used += (number * (int64_t)sizeof(T) + 63) / 64 * 64;
    return here;
  }
};

struct Work {
  int64_t read, context, width, rows, length;  // columns of what is read, number of buckets, steps that matter
  int64_t seen_row, gate_row;  // vectors from one step to the next: an odd number, else all steps share a few lines of a cache
  Matrix reset_update, new_input, new_state, state_back, context_map, future_map, output_map, context_back;
  float *joint_bias, *decoder_bias;
  int64_t *first_at, *next_at;
  Floats *seen, *gates, *pulled, *carried, *contexts, *ahead, *base, *hidden, *read_out, *logits, *slopes, *deltas, *summed;
  Floats *gradient;
  Doubles *buckets;
  Work(const Task &t, Arena &arena);
};

static Matrix take_matrix(Arena &arena, int64_t rows, int64_t columns) {
  return {arena.take<float>(packed_size(rows, columns)), rows, columns};
}

Work::Work(const Task &t, Arena &arena) {
  const int64_t h = t.hidden, f = t.features, d = t.decoder;
  read = h + f, context = h + f, width = d + (t.direct ? f : 0), rows = t.positions * t.buckets, length = t.steps;
  seen_row = read | 1, gate_row = 4 * h + 1;
  reset_update = take_matrix(arena, 2 * h, read), new_input = take_matrix(arena, h, f);
  new_state = take_matrix(arena, h, h), state_back = take_matrix(arena, h, 3 * h);
  context_map = take_matrix(arena, d, context), future_map = take_matrix(arena, d, t.covariates + 1);
  output_map = take_matrix(arena, t.outputs, width), context_back = take_matrix(arena, h, d);
  joint_bias = arena.take<float>(2 * h), decoder_bias = arena.take<float>(d);
  first_at = arena.take<int64_t>(t.steps), next_at = arena.take<int64_t>(t.positions);
  seen = arena.take<Floats>((length + 1) * seen_row), gates = arena.take<Floats>(length * gate_row);
  pulled = arena.take<Floats>(t.positions * h), carried = arena.take<Floats>(h);
  contexts = arena.take<Floats>(t.positions * context), ahead = arena.take<Floats>(rows * (t.covariates + 1));
  base = arena.take<Floats>(t.positions * d), hidden = arena.take<Floats>(rows * d);
  read_out = arena.take<Floats>(rows * width), logits = arena.take<Floats>(rows * t.outputs);
  slopes = arena.take<Floats>(rows * t.outputs), deltas = arena.take<Floats>(rows * d);
  summed = arena.take<Floats>(t.positions * d), gradient = arena.take<Floats>(t.parameters);
  buckets = arena.take<Doubles>(8);
}

static void prepare(const Task &t, Work &w) {
  if (t.likelihood == ROWS) return;
  const int64_t h = t.hidden, f = t.features, d = t.decoder;
  pack(w.reset_update, 0, h, t.weight_hh, h, 1), pack(w.reset_update, h, f, t.weight_ih, f, 1);
  pack(w.new_input, 0, f, t.weight_ih + 2 * h * f, f, 1), pack(w.new_state, 0, h, t.weight_hh + 2 * h * h, h, 1);
  pack(w.state_back, 0, 3 * h, t.weight_hh, 1, h);
  for (int64_t k = 0; k < 2 * h; k++) w.joint_bias[k] = t.bias_ih[k] + t.bias_hh[k];
  if (t.likelihood == SQUARED_STATES) return;
  pack(w.context_map, 0, w.context, t.context_weight, w.context, 1);
  pack(w.future_map, 0, t.covariates + 1, t.future_weight, t.covariates + 1, 1);
  pack(w.output_map, 0, w.width, t.output_weight, w.width, 1);
  pack(w.context_back, 0, d, t.context_weight, 1, w.context);
  for (int64_t k = 0; k < d; k++) w.decoder_bias[k] = t.context_bias[k] + t.future_bias[k];
  w.length = 0;
  for (int64_t step = 0; step < t.steps; step++) w.first_at[step] = -1;
  for (int64_t p = 0; p < t.positions; p++) {
    w.next_at[p] = w.first_at[t.position[p]], w.first_at[t.position[p]] = p;
    if (t.position[p] >= w.length) w.length = t.position[p] + 1;
  }
}

// Lay `columns` numbers of `rows` rows of each entity side by side; `stride` vectors from one row to the next.
static void spread(const float *from, int64_t size, int64_t number, int64_t rows, int64_t columns, Floats *to, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      float *lanes = (float *)(to + r * stride + c);
      for (int64_t lane = 0; lane < L; lane++) lanes[lane] = lane < number ? from[lane * size + r * columns + c] : 0.0f;
    }
}

// Where the parts of a flat gradient begin, in the order of the model's parameters.
struct Places {
  Floats *weight_ih, *weight_hh, *bias_ih, *bias_hh, *context_weight, *context_bias, *future_weight, *future_bias;
  Floats *output_weight, *output_bias;
  Places(const Task &t, const Work &w) {
    const int64_t h = t.hidden, d = t.decoder;
    Floats *at = w.gradient;
    weight_ih = at, weight_hh = at += 3 * h * t.features, bias_ih = at += 3 * h * h, bias_hh = at += 3 * h;
    if (t.trained == ALL) at += 3 * h;
    else at = w.gradient;
    context_weight = at, context_bias = at += d * w.context, future_weight = at += d;
    future_bias = at += d * (t.covariates + 1);
    if (t.trained != OUTPUT) at += d;
    else at = w.gradient;
    output_weight = at, output_bias = at + t.outputs * w.width;
  }
};
