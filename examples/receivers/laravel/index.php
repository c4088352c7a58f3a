<?php
// The smallest Laravel around hook.php; your app has all of it already.
//   SHOP_TOKEN=secret INBOX=inbox.db php -S 127.0.0.1:3000 index.php
http_response_code(500); // also for what dies before Laravel runs
require 'Illuminate/autoload.php'; // Debian's php-laravel-framework, without Composer
require 'Illuminate/Foundation/helpers.php';

use Illuminate\Config\Repository;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Cookie\Middleware\{AddQueuedCookiesToResponse, EncryptCookies};
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Foundation\{Application, Exceptions\Handler, Http\Kernel};
use Illuminate\Foundation\Bootstrap\BootProviders;
use Illuminate\Foundation\Http\Middleware\VerifyCsrfToken;
use Illuminate\Http\Request;
use Illuminate\Session\Middleware\StartSession;
use Illuminate\Support\Facades\{Facade, Route, Schema};
use Psr\Log\{LoggerInterface, NullLogger};
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

$db = getenv('INBOX') ?: 'inbox.db';
touch($db);
$app = new Application(__DIR__);
$app->instance('config', new Repository([
    'app' => ['key' => str_repeat('k', 32), 'cipher' => 'AES-256-CBC', 'debug' => false],
    'database' => ['default' => 'sqlite', 'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => $db]]],
    'session' => ['driver' => 'cookie', 'cookie' => 'shop', 'path' => '/', 'domain' => null, 'lifetime' => 120, 'expire_on_close' => false, 'lottery' => [0, 1]],
    'view' => ['paths' => [], 'compiled' => sys_get_temp_dir()],
    'shop' => [
        'token' => getenv('SHOP_TOKEN') ?: throw new RuntimeException('SHOP_TOKEN is empty'),
        'app_id' => getenv('CCPAYMENT_APP_ID'),
        'app_secret' => getenv('CCPAYMENT_APP_SECRET'),
    ],
]));
Facade::setFacadeApplication($app);
foreach (['Cookie\Cookie', 'Database\Database', 'Encryption\Encryption', 'Filesystem\Filesystem', 'Session\Session', 'View\View'] as $name) {
    $app->register("Illuminate\\{$name}ServiceProvider");
}
$app->instance(LoggerInterface::class, new NullLogger());
$app->instance(ExceptionHandler::class, new class($app) extends Handler {
    protected function renderHttpException(HttpExceptionInterface $e)
    {
        return $this->convertExceptionToResponse($e); // without views
    }
});
$kernel = new class($app, $app['router']) extends Kernel {
    protected $bootstrappers = [BootProviders::class];
    protected $middlewareGroups = ['web' => [EncryptCookies::class, AddQueuedCookiesToResponse::class, StartSession::class, VerifyCsrfToken::class]];
};
$kernel->bootstrap();

if (!Schema::hasTable('inbox')) { // yours is a migration
    Schema::create('inbox', fn(Blueprint $t) => [$t->char('idempotency_key', 36)->primary(), $t->text('body')]);
    Schema::create('fulfilled', fn(Blueprint $t) => [$t->string('order_id', 128)->primary()]);
    Schema::create('credited', function (Blueprint $t) {
        $t->string('record_id', 128);
        $t->string('type', 64);
        $t->string('buyer', 128);
        $t->string('coin', 32);
        $t->string('amount', 64); // PostgreSQL and MySQL: decimal
        $t->primary(['record_id', 'type']);
    });
}
Route::middleware('web')->group(function () {
    Route::get('/', fn() => '<form method="post" action="/buy">' . csrf_field() . '<button>Buy</button></form>');
    require 'hook.php';
});
$response = $kernel->handle($request = Request::capture());
$response->send();
$kernel->terminate($request, $response);
