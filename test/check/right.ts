/** Right programs in many styles: none may raise an alarm. */
export const right: readonly { readonly name: string; readonly text: string }[] = [
  {
    name: 'numbers chosen by conditions on tensors',
    text: `model Clip(x: float[B, 4]) -> float[B, 4] {
  let y = 0 where x < 0 else 1 where x > 1 else x
  return y
}`,
  },
  {
    name: 'contrastive loss with a diagonal',
    text: `fn normalise(x: float[B, D]) -> float[B, D] {
  let length[b] = sqrt(sum[d] x[b, d] ^ 2)
  let y[b, d] = x[b, d] / (length[b] + 1e-6)
  return y
}
loss clip(image: float[B, D], text: float[B, D], temperature: float) -> float {
  let a = normalise(image)
  let b = normalise(text)
  let logits[i, j] = (sum[d] a[i, d] * b[j, d]) / temperature
  let rows = mean[i] ((logsumexp[j] logits[i, j]) - logits[i, i])
  let columns = mean[j] ((logsumexp[i] logits[i, j]) - logits[j, j])
  return (rows + columns) / 2
}
train Fit {
  input image: float[B, 64]
  input text: float[B, 32]
  let a = image |> Linear(16)
  let b = text |> Linear(16)
  minimize clip(a, b, 0.07)
  optimizer AdamW(lr: 1e-3)
  batch B = 32
}`,
  },
  {
    name: 'vision transformer patches',
    text: `const patch = 4, width = 64
block Patches(x: float[B, C, H, W]) -> float[B, (H / patch) * (W / patch), width] {
  require H % patch == 0 and W % patch == 0
  let y[b, (i j), (c p q)] = x[b, c, (i p: patch), (j q: patch)]
  return y |> embed: Linear(width)
}
model Vit(image: float[B, 3, 32, 32]) -> float[B, 10] {
  let x = image |> Patches
  let pooled[b, d] = mean[t] x[b, t, d]
  return pooled |> Linear(10)
}`,
  },
  {
    name: 'a class token in front',
    text: `block Front(x: float[B, T, D]) -> float[B, T + 1, D] {
  param class: float[D] = 0
  let y[b, t: T + 1, d] = x[b, t - 1, d] else class[d]
  return y
}`,
  },
  {
    name: 'a causal convolution',
    text: `block Causal(out: int, kernel: int)(x: float[B, T, C]) -> float[B, T, out] {
  param w: float[out, C, kernel] = normal() / sqrt(C * kernel)
  let y[b, t: T, o] = sum[c, k] w[o, c, k] * (x[b, t - k, c] else 0)
  return y
}
model Net(x: float[B, T, 8]) -> float[B, T, 1] {
  repeat i < 3 { x = x |> Causal(8, 3) |> relu }
  return x |> Causal(1, 3)
}`,
  },
  {
    name: 'several results by name',
    text: `fn moments(x: float[N, C]) -> (mean: float[C], var: float[C]) {
  let m[c] = mean[n] x[n, c]
  let v[c] = mean[n] (x[n, c] - m[c]) ^ 2
  return (mean: m, var: v)
}
fn standard(x: float[N, C]) -> float[N, C] {
  let r = moments(x)
  let y[n, c] = (x[n, c] - r.mean[c]) / sqrt(r.var[c] + 1e-5)
  return y
}`,
  },
  {
    name: 'a variational autoencoder',
    text: `model Encoder(x: float[B, 784]) -> float[B, 2, 8] {
  let h = x |> Linear(128) |> relu |> Linear(16)
  let y[b, k: 2, n] = h[b, (k n)]
  return y
}
model Decoder(z: float[B, 8]) -> float[B, 784] { z |> Linear(128) |> relu |> Linear(784) }
train Vae {
  input x: float[B, 784]
  let code = Encoder(x)
  let mu[b, n] = code[b, 0, n]
  let logvar[b, n] = code[b, 1, n]
  let noise[b: B, n: 8] = normal()
  let z = mu + exp(0.5 * logvar) * noise
  let kl = -0.5 * mean[b] sum[n] (1 + logvar[b, n] - mu[b, n] ^ 2 - exp(logvar[b, n]))
  minimize binary_cross_entropy(Decoder(z), x) * 784 + kl
  optimizer Adam(lr: 1e-3)
  batch B = 128
  epochs 10
}`,
  },
  {
    name: 'label smoothing, temperature, distillation',
    text: `model Student(x: float[B, 8]) -> float[B, 10] { x |> Linear(10) }
model Teacher(x: float[B, 8]) -> float[B, 10] { x |> Linear(32) |> relu |> Linear(10) }
train Distil {
  input x: float[B, 8]
  input label: i32[B] < 10
  let logp = log_softmax(Student(x) / 2)
  let soft = softmax(stop_gradient(Teacher(x)) / 2)
  let hard[b, c: 10] = 0.9 + 0.01 where c == label[b] else 0.01
  let target = 0.5 * soft + 0.5 * hard
  minimize -mean[b] sum[c] target[b, c] * logp[b, c]
  optimizer SGD(lr: 0.1, momentum: 0.9)
}`,
  },
  {
    name: 'a mixture of softmaxes',
    text: `block Mixture(parts: int, classes: int)(x: float[B, D]) -> float[B, classes] {
  let z = x |> Linear(parts * classes)
  let split[b, k: parts, c: classes] = z[b, (k c)]
  let p = softmax(split)
  let weight = x |> Linear(parts) |> softmax
  let y[b, c] = sum[k] weight[b, k] * p[b, k, c]
  return y
}
train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  let p = x |> Mixture(3, 10)
  minimize -mean[b] log(p[b, label[b]] + 1e-9)
  optimizer Adam()
}`,
  },
  {
    name: 'deep Q-learning',
    text: `model Q(s: float[B, 4]) -> float[B, 2] { s |> Linear(64) |> relu |> Linear(2) }
train Learn {
  input s: float[B, 4]
  input next: float[B, 4]
  input action: i32[B] < 2
  input reward: float[B]
  input done: bool[B]
  let future = stop_gradient(Q(next))
  let best[b] = max[a] future[b, a]
  let target[b] = reward[b] + (0 where done[b] else 0.99 * best[b])
  let q = Q(s)
  minimize mean[b] (q[b, action[b]] - target[b]) ^ 2
  optimizer Adam(lr: 1e-3)
  batch B = 64
}`,
  },
  {
    name: 'prefix sums and running maxima',
    text: `fn sums(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = sum[s where s <= t] x[b, s]
  return y
}
fn peaks(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = max[s where s <= t] x[b, s]
  return y
}`,
  },
  {
    name: 'group normalisation',
    text: `block GroupNorm(groups: int, eps: float = 1e-5)(x: float[B, C, H, W]) -> float[B, C, H, W] {
  require C % groups == 0
  param weight: float[C] = 1
  let y[b, g: groups, c, i, j] = x[b, (g c), i, j]
  let mu[b, g] = mean[c, i, j] y[b, g, c, i, j]
  let var[b, g] = mean[c, i, j] (y[b, g, c, i, j] - mu[b, g]) ^ 2
  let z[b, (g c), i, j] = (y[b, g, c, i, j] - mu[b, g]) / sqrt(var[b, g] + eps)
  let out[b, c, i, j] = z[b, c, i, j] * weight[c]
  return out
}
model M(x: float[B, 32, H, W]) -> float[B, 32, H, W] { x |> GroupNorm(8) }`,
  },
  {
    name: 'a mixture of experts with one of each',
    text: `block Experts(count: int, hidden: int)(x: float[B, D]) -> float[B, D] {
  param up: float[count, hidden, D] = normal() / sqrt(D)
  param down: float[count, D, hidden] = normal() / sqrt(hidden)
  let gate = x |> Linear(count) |> softmax
  let choice[b] = argmax[k] gate[b, k]
  let h[b, n] = sum[d] up[choice[b], n, d] * x[b, d]
  let y[b, d] = gate[b, choice[b]] * sum[n] down[choice[b], d, n] * relu(h[b, n])
  return y
}`,
  },
  {
    name: 'a recurrent network by count',
    text: `block Unroll(steps: int, hidden: int)(x: float[B, D]) -> float[steps, B, hidden] {
  let start = x |> Linear(hidden)
  param w: float[hidden, hidden] = orthogonal()
  return scan n in steps {
    carry h: float[B, hidden] = 0
    let next[b, i] = tanh((sum[j] w[i, j] * h[b, j]) + start[b, i] * (n + 1))
    h = next
    yield h
  }
}`,
  },
  {
    name: 'two sequences scanned together',
    text: `fn distance(x: float[B, T], y: float[B, T]) -> float[B] {
  carry total: float[B] = 0
  scan a over x, b over y along T {
    total = total + abs(a - b)
  }
  return total
}`,
  },
  {
    name: 'schedules, groups of parameters',
    text: `model Body(x: float[B, 8]) -> float[B, 8] { x |> first: Linear(8) |> relu }
model Head(x: float[B, 8]) -> float[B, 3] { x |> out: Linear(3) }
train Fit {
  input x: float[B, 8]
  input label: i32[B] < 3
  minimize cross_entropy(Head(Body(x)), label)
  metric accuracy = accuracy(Head(Body(x)), label)
  optimizer AdamW(lr: cosine(peak: 1e-3, total: 1000), decay: 0.1) for Body
  optimizer SGD(lr: warmup(1e-2, 100)) for Head
  gradient |> clip_norm(1)
  batch B = 64
  epochs 3
  validate(split: 0.1, patience: 3)
}`,
  },
  {
    name: 'attention with composed masks',
    text: `block Attend(heads: int, keep: mask = everything)(x: float[B, T, D]) -> float[B, T, D] {
  require D % heads == 0
  let q[b, h: heads, t, e] = (x |> q: Linear(D))[b, t, (h e)]
  let score[b, h, t, s] = sum[e] q[b, h, t, e] * q[b, h, s, e] / sqrt(D / heads)
  let weight[b, h, t, s] = softmax[s where keep(b, h, q: t, k: s)] score[b, h, t, s]
  let z[b, t, (h e)] = sum[s] weight[b, h, t, s] * q[b, h, s, e]
  return z
}
model M(x: float[B, T, 32], length: i32[B]) -> float[B, T, 32] {
  let near = causal and window(8)
  return x |> Attend(4, near and padding(length)) |> Attend(4, not causal) |> Attend(4)
}`,
  },
  {
    name: 'shared constants in shapes',
    text: `const width = 64, hidden = 4 * width, heads = 8
block Mlp(x: float[B, T, width]) -> float[B, T, width] { x |> Linear(hidden) |> gelu |> Linear(width) }
block Use(x: float[B, T, width]) -> float[B, T, 64] {
  let y = x |> Linear(hidden)
  let z[b, t, k: heads / 2, d] = y[b, t, (k d)]
  let s[b, t, d] = sum[k] z[b, t, k, d]
  return s
}
model M(x: float[B, T, 64]) -> float[B, T, width] { x |> Mlp |> Use }`,
  },
  {
    name: 'a pyramid by a literal list',
    text: `model Pyramid(image: float[B, 3, 64, 64]) -> float[B, 10] {
  let x = image
  stage: repeat width in [16, 32, 64] {
    x = x |> conv: Conv2d(width, pad: 1) |> norm: BatchNorm |> relu |> max_pool(2)
  }
  return x |> flatten |> head: Linear(10)
}`,
  },
  {
    name: 'physics: second derivatives in two variables',
    text: `model U(p: float[N, 2]) -> float[N, 1] { p |> Linear(32) |> tanh |> Linear(1) }
train Heat {
  input p: float[N, 2]
  let d = grad(sum(U(p)), wrt: p)
  let dx[n] = d[n, 0]
  let dt[n] = d[n, 1]
  let dd = grad(sum(dx), wrt: p)
  minimize mean[n] (dt[n] - dd[n, 0]) ^ 2
  optimizer Adam()
  batch N = 128
}`,
  },
  {
    name: 'Muon on matrices',
    text: `optimizer Muon(lr: schedule = 0.02, momentum: float = 0.95)(w: f32[O, I], g: f32[O, I]) {
  state m: f32[O, I] = 0
  m = momentum * m + g
  let length = sqrt(sum(m ^ 2)) + 1e-7
  let x = m / length
  repeat 5 {
    let a[i, j] = sum[k] x[i, k] * x[j, k]
    let b[i, j] = sum[k] a[i, k] * a[k, j]
    let u[i, k] = sum[j] (-4.775 * a[i, j] + 2.0315 * b[i, j]) * x[j, k]
    x = 3.4445 * x + u
  }
  w -= lr * x
}`,
  },
];
